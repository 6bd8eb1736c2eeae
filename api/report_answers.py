"""What clients get of reports, field by field."""

from marshmallow import Schema, fields, validate

from api.answers import ALWAYS, MAYBE, ChangeOut, FigureOut, _day, moment
from domain.stage import STAGES
from service.reports.grouping import DIMENSIONS
from service.reports.periods import KINDS


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
    sealed_at = moment(**ALWAYS)
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
    recorded_at = moment(**ALWAYS)
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


class TipsOut(Schema):
    """Tips that came within the period, the one before it, and that of the year before."""

    now = fields.Integer(**ALWAYS)
    previous = fields.Integer(**ALWAYS)
    year_before = fields.Integer(**ALWAYS)


class MeasureOut(Schema):
    """The same three of leads and their planned amounts in 元."""

    now = fields.Nested(FigureOut, **ALWAYS)
    previous = fields.Nested(FigureOut, **ALWAYS)
    year_before = fields.Nested(FigureOut, **ALWAYS)


class StageMeasuresOut(Schema):
    """A stage: what entered and left it within the period, and stands there at its end."""

    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    label = fields.String(**ALWAYS)
    entered = fields.Nested(MeasureOut, **ALWAYS)
    left = fields.Nested(MeasureOut, **ALWAYS)
    standing = fields.Nested(MeasureOut, **ALWAYS)


class GroupOut(Schema):
    """The stages of one group; its ``key`` is empty for the leads that have none."""

    key = fields.String(**ALWAYS)
    label = fields.String(**ALWAYS)
    stages = fields.List(fields.Nested(StageMeasuresOut), **ALWAYS)


class GroupedOut(Schema):
    """The period by group. ``repeated`` leads are counted in several groups, so that the lines
    add up to more than the total."""

    by = fields.String(required=True, validate=validate.OneOf(list(DIMENSIONS)))
    label = fields.String(**ALWAYS)
    repeated = fields.Integer(**ALWAYS)
    lines = fields.List(fields.Nested(GroupOut), **ALWAYS)


class SpanOut(Schema):
    """A month or week, and the days of it that are counted."""

    period = fields.String(**ALWAYS)
    start = _day(data_key="from", **ALWAYS)
    end = _day(data_key="to", **ALWAYS)


class ComparedOut(Schema):
    """What a period is compared with."""

    previous = fields.Nested(SpanOut, **ALWAYS)
    year_before = fields.Nested(SpanOut, **ALWAYS)


class PeriodicOut(SpanOut):
    """A month or week, in all and by group; not ``complete`` while it is still running."""

    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    label = fields.String(**ALWAYS)
    complete = fields.Boolean(**ALWAYS)
    compared = fields.Nested(ComparedOut, **ALWAYS)
    district = fields.String(**MAYBE)
    known_at = fields.Integer(**MAYBE)
    position = fields.Integer(**ALWAYS)
    rule = fields.String(**ALWAYS)
    tips = fields.Nested(TipsOut, **ALWAYS)
    stages = fields.List(fields.Nested(StageMeasuresOut), **ALWAYS)
    tables = fields.List(fields.Nested(GroupedOut), **ALWAYS)
