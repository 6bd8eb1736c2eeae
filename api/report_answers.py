"""What clients get of reports, field by field."""

from marshmallow import Schema, fields

from api.answers import ALWAYS, MAYBE, ChangeOut, _day, _moment


class ClaimOut(Schema):
    """A number of a report: its leads' amounts (null where none are summed), and the leads."""

    name = fields.String(**ALWAYS)
    value = fields.Integer(**ALWAYS)
    cny = fields.String(**MAYBE)
    leads = fields.List(fields.String(metadata={"format": "uuid"}), **ALWAYS)
    largest = fields.String(allow_none=True, metadata={"format": "uuid"})


class _Told(Schema):
    year = fields.Integer(**ALWAYS)
    start = _day(data_key="from", **ALWAYS)
    end = _day(data_key="to", **ALWAYS)
    district = fields.String(**MAYBE)
    rule = fields.String(**ALWAYS)
    position = fields.Integer(**ALWAYS)
    text = fields.String(**ALWAYS)
    claims = fields.List(fields.Nested(ClaimOut), **ALWAYS)


class AnnualOut(_Told):
    """The annual report as it would be published."""

    known_at = fields.Integer(**MAYBE)


class SealedOut(_Told):
    """A report as it was published: ``position`` is what it was told from, ``digest`` SHA-256 over
    what it says."""

    id = fields.String(required=True, metadata={"format": "uuid"})
    kind = fields.String(**ALWAYS)
    digest = fields.String(**ALWAYS)
    number = fields.Integer(**ALWAYS)
    follows = fields.String(allow_none=True, required=True, metadata={"format": "uuid"})
    sealed_on = _day(**ALWAYS)
    sealed_at = _moment(**ALWAYS)
    sealed_by = fields.String(**ALWAYS)
    note = fields.String(**MAYBE)


class SealedReportOut(SealedOut):
    """The same, with what followed it, and whether the log still tells it."""

    followed_by = fields.String(allow_none=True, required=True, metadata={"format": "uuid"})
    verified = fields.Boolean(**ALWAYS)


class ReportsOut(Schema):
    """Sealed reports, the last one first."""

    items = fields.List(fields.Nested(SealedOut), **ALWAYS)
    next = fields.String(**MAYBE)


class CauseOut(Schema):
    """An event by which a lead came to be counted, or not, or with another amount."""

    lead = fields.String(required=True, metadata={"format": "uuid"})
    position = fields.Integer(**ALWAYS)
    version = fields.Integer(**ALWAYS)
    event = fields.String(**ALWAYS)
    occurred_on = _day(**ALWAYS)
    recorded_at = _moment(**ALWAYS)
    actor = fields.String(**ALWAYS)
    corrects = fields.Integer(**MAYBE)
    changes = fields.List(fields.Nested(ChangeOut), **ALWAYS)


class DriftedOut(Schema):
    """A claim as published and as it would be now."""

    name = fields.String(**ALWAYS)
    published = fields.Integer(**ALWAYS)
    now = fields.Integer(**ALWAYS)
    published_cny = fields.String(**MAYBE)
    now_cny = fields.String(**MAYBE)
    events = fields.List(fields.Nested(CauseOut), **ALWAYS)


class DriftOut(Schema):
    """What became of a sealed report's numbers."""

    report = fields.String(required=True, metadata={"format": "uuid"})
    published_at = fields.Integer(**ALWAYS)
    position = fields.Integer(**ALWAYS)
    claims = fields.List(fields.Nested(DriftedOut), **ALWAYS)
