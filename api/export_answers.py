"""What is told of exports, field by field."""

from marshmallow import Schema, fields, validate

from api.answers import ALWAYS, MAYBE


def _day() -> fields.String:
    return fields.String(required=True, metadata={"format": "date"})


class CutOut(Schema):
    """The export before: its date, and the log position it was made at."""

    date = _day()
    position = fields.Integer(**ALWAYS)


class FileOut(Schema):
    """A file of an export; ``rows`` is null where there are none to count."""

    name = fields.String(**ALWAYS)
    rows = fields.Integer(**MAYBE)
    bytes = fields.Integer(**ALWAYS)
    sha256 = fields.String(required=True, metadata={"pattern": "^[0-9a-f]{64}$"})


class CoveringOut(Schema):
    """The checkpoint that covers everything in an export."""

    checkpoint = fields.String(**ALWAYS)
    size = fields.Integer(**ALWAYS)
    made_at = fields.String(**ALWAYS)
    hash = fields.String(**ALWAYS)


class ManifestOut(Schema):
    """What an export says of itself. ``cut_off`` is null where a position was named."""

    format = fields.String(**ALWAYS)
    date = _day()
    cut_off = fields.String(**MAYBE)
    position = fields.Integer(**ALWAYS)
    rule = fields.String(**ALWAYS)
    previous = fields.Nested(CutOut, **MAYBE)
    personal_data = fields.String(required=True, validate=validate.OneOf(["masked", "shown"]))
    files = fields.List(fields.Nested(FileOut), **ALWAYS)
    checkpoint = fields.Nested(CoveringOut, **MAYBE)
    software = fields.Dict(fields.String(), fields.String(), **ALWAYS)


class ExportsOut(Schema):
    """One page of exports, the newest first."""

    items = fields.List(fields.Nested(ManifestOut), **ALWAYS)
    next = fields.String(**MAYBE)
