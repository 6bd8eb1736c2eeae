"""What is sent and answered of tokens, field by field."""

from typing import Any

from marshmallow import Schema, fields

from api.answers import ALWAYS, MAYBE, moment
from api.checks import OneOf, Range
from api.schemas import OPTIONAL, DistrictPrefix, Id, Request, Text
from service.tokens import MOST_DAYS, ROLES

MOST_OVERLAP = 720


class Count(fields.Integer):
    """A whole number, as a JSON number: 30 or, which is the same there, 30.0."""

    def __init__(self, lowest: int, highest: int, **more: Any) -> None:
        super().__init__(strict=True, validate=Range(lowest, highest), **more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **more)


class TokenIn(Request):
    """A token of a role; ``member`` goes with role member and only with it, ``district``, a
    prefix, with the others. It is good for so many ``days``, else until it is revoked."""

    role = fields.String(required=True, validate=OneOf(ROLES))
    name = Text(100, **OPTIONAL)
    member = Id(**OPTIONAL)
    district = DistrictPrefix(**OPTIONAL)
    days = Count(1, MOST_DAYS, **OPTIONAL)


class LinkIn(Request):
    """For how many ``days`` the personal link is good, else until another takes its place."""

    days = Count(1, MOST_DAYS, **OPTIONAL)


class RotationIn(Request):
    """For how many ``days`` the new one is good, by default as many as the old one was; and for how
    many hours the old one still."""

    days = Count(1, MOST_DAYS, **OPTIONAL)
    overlap_hours = Count(0, MOST_OVERLAP, load_default=0)


class RevocationIn(Request):
    """Nothing more is to be said."""


class TokenOut(Schema):
    """A token, without its secret, of which nothing is known. ``last_used_at`` is right to about
    ten minutes."""

    id = fields.String(**ALWAYS)
    role = fields.String(required=True, validate=OneOf(ROLES))
    name = fields.String(**ALWAYS)
    member = fields.UUID(**MAYBE)
    district = fields.String(**MAYBE)
    issued_at = moment(**ALWAYS)
    expires_at = moment(**MAYBE)
    revoked_at = moment(**MAYBE)
    last_used_at = moment(**MAYBE)


class NewTokenOut(TokenOut):
    """The token itself, told this once."""

    token = fields.String(**ALWAYS)


class TokensOut(Schema):
    """One page of tokens, in the order of issue."""

    items = fields.List(fields.Nested(TokenOut), **ALWAYS)
    next = fields.String(**MAYBE)
