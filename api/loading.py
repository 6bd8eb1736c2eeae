"""Loading what clients sent by its schema: the short way what is right, marshmallow the rest."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from marshmallow import Schema, ValidationError, fields, missing
from marshmallow.decorators import VALIDATES_SCHEMA

from api.schemas import Coded, Several, Text
from domain.errors import Invalid
from domain.sentences import Sentence

# So many faults are told of one request; nobody reads more.
MOST_TOLD = 100


class _Field(NamedTuple):
    """``sent`` is its name in what is sent, ``name`` in what is loaded."""

    sent: str
    name: str
    read: Callable[[Any], Any]
    required: bool
    default: Any


class Loader:
    """Loads by ``schema`` as its own ``load`` does, without what that does for partial loading,
    collections, and the gathering of errors.

    Every field still reads and checks itself, and the schema checks the whole. At the first
    fault all of it is loaded anew by marshmallow, which finds every fault and names it.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._fields = [_field(name, field) for name, field in schema.load_fields.items()]
        hooks = {kind: found for kind, found in schema._hooks.items() if found}
        checks = [getattr(schema, name) for name, _, _ in hooks.pop(VALIDATES_SCHEMA, ())]
        self._checks: list[Callable[..., None]] = checks
        # Any other hook of a schema makes of the data what only marshmallow knows.
        self._plain = not hooks

    def load(self, data: Any) -> dict[str, Any]:
        """``data`` as loaded; Invalid names every field that is wrong."""
        try:
            return self.read(data)
        except ValidationError:
            pass
        try:
            loaded: dict[str, Any] = self._schema.load(data)
        except ValidationError as why:
            raise Invalid(_told(_flat(why.messages_dict))) from None
        return loaded

    def read(self, data: Any) -> dict[str, Any]:
        """``data`` as loaded; ValidationError when the short way does not lead there."""
        if not self._plain or type(data) is not dict:
            raise ValidationError("Not the short way.")
        loaded = {}
        known = 0
        for sent, name, read, required, default in self._fields:
            if sent in data:
                known += 1
                loaded[name] = read(data[sent])
            elif required:
                raise ValidationError("It is missing.")
            elif default is not missing:
                loaded[name] = default() if callable(default) else default
        if known < len(data):
            raise ValidationError("A field is unknown.")
        for check in self._checks:
            check(loaded, partial=False, many=False, unknown=None)
        return loaded


def _field(name: str, field: "fields.Field[Any]") -> _Field:
    sent = field.data_key if field.data_key is not None else name
    return _Field(sent, field.attribute or name, _reader(field), field.required, field.load_default)


def _reader(field: "fields.Field[Any]") -> Callable[[Any], Any]:
    """What reads a value as ``field.deserialize`` does; that itself, for a kind not known here."""
    if type(field) is fields.Nested:
        return _reading(field, dict, Loader(field.schema).read)
    if type(field) is Several:
        inner = _reader(field.inner)
        return _reading(field, list, lambda values: [inner(one) for one in field.few(values)])
    if isinstance(field, Text | Coded):
        return _reading(field, str, field.checked)
    return _reading(field, str, str) if type(field) is fields.String else field.deserialize


def _reading(
    field: "fields.Field[Any]", kind: type[Any], read: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Reads values of the JSON ``kind`` by ``read``, and leaves what is none to the field."""
    checks: list[Any] = field.validators

    def reading(value: Any) -> Any:
        if type(value) is not kind:
            return field.deserialize(value)
        found = read(value)
        for check in checks:
            check(found)
        return found

    return reading


def _told(errors: dict[str, list[str]]) -> dict[str, list[str]]:
    """The first of them, and how many there are besides."""
    more = len(errors) - MOST_TOLD
    if more <= 0:
        return errors
    told = dict(islice(errors.items(), MOST_TOLD))
    told.setdefault("body", []).append(Sentence("{count} more are wrong.", count=more))
    return told


def _flat(messages: Mapping[Any, Any], path: str = "") -> dict[str, list[str]]:
    """Nested messages as ``investment.amount`` → reasons."""
    flat: dict[str, list[str]] = {}
    for name, value in messages.items():
        inner = f"{path}.{name}" if path else str(name)
        at = path or "body" if name == "_schema" else inner
        if isinstance(value, Mapping):
            flat.update(_flat(value, at))
        else:
            flat.setdefault(at, []).extend(value)
    return flat
