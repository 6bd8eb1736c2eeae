"""Forms made from the API's own schemas: a schema's fields as fields of a form, and what was filled
in as the JSON that the API would be sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema, fields, validate

from api.pages.words import name_of, value_of
from api.schemas import Day, Text, TrueOrFalse, Version

# How many rows a list has that could have more.
_ROWS = 3
# What a form says by itself, so that alone it says nothing.
_PRESET = frozenset({"unit", "fact"})

Json = dict[str, Any]


class Asked(NamedTuple):
    """One field: its ``name`` as in errors (investment.amount), what it is called, the kind of its
    control, what it holds, and the values to choose from, each with what it is called."""

    name: str
    label: str
    kind: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    needed: bool = False


class Group(NamedTuple):
    """Fields that are one fact: an amount with its unit, or rows of evidence."""

    name: str
    label: str
    rows: Sequence[Sequence[Asked]]
    needed: bool = False


Part = Asked | Group


def flat(value: Any, path: str = "") -> dict[str, str]:
    """JSON as a form's names and values: ``{"investment": {"unit": …}}`` as investment.unit."""
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = ((f"{at}", one) for at, one in enumerate(value))  # type: ignore[assignment]
    else:
        return {} if value is None else {path: f"{value}"}
    told: dict[str, str] = {}
    for name, one in inner:
        told.update(flat(one, f"{path}.{name}" if path else name))
    return told


def nested(schema: Schema, given: Mapping[str, str]) -> Json:
    """What was filled in, by flat names, as JSON for the schema; what says nothing is left out."""
    words = {name: value for name, value in given.items() if not name.startswith("_")}
    told: Json = {}
    for name in dict.fromkeys(name.partition(".")[0] for name in words):
        inner = {n.partition(".")[2]: v for n, v in words.items() if n.partition(".")[0] == name}
        value = _value(schema.load_fields.get(name), inner)
        if value is not None:
            told[name] = value
    return told


def _value(field: Any, inner: Mapping[str, str]) -> Any:
    """What stands below one name; None where that says nothing."""
    if isinstance(field, fields.Nested):
        found = nested(field.schema, inner)
        return found if found.keys() - _PRESET else None
    if isinstance(field, fields.List):
        rows = dict.fromkeys(name.partition(".")[0] for name in inner)
        items = [_value(field.inner, _below(inner, row)) for row in sorted(rows, key=_number)]
        return [item for item in items if item is not None]
    text = inner.get("", "")
    if isinstance(field, TrueOrFalse):
        return text == "true"
    return int(text) if isinstance(field, Version) and text.isdecimal() else text


def _below(inner: Mapping[str, str], row: str) -> dict[str, str]:
    return {name.partition(".")[2]: v for name, v in inner.items() if name.split(".")[0] == row}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0


class Asking(NamedTuple):
    """How a schema is asked: the ``values`` that its fields hold, by flat names; which values may
    be chosen where that is not all of them; which facts are ``needed`` besides those the schema
    requires; and the facts that are ``sought``: too many to choose from, so found by typing."""

    values: Mapping[str, str]
    options: Mapping[str, Sequence[tuple[str, str]]] = {}
    needed: frozenset[str] = frozenset()
    sought: frozenset[str] = frozenset()


def parts(schema: Schema, asking: Asking, names: Sequence[str], below: str = "") -> Iterator[Part]:
    """The form's parts for these fields of the schema, in this order. ``below``: the name of the
    field that the schema itself is nested in."""
    for name in names:
        yield _part(schema.load_fields[name], name, asking, f"{below}{name}")


def _part(field: Any, name: str, asking: Asking, path: str) -> Part:
    needed = field.required or name in asking.needed
    if isinstance(field, fields.Nested):
        row = [_within(one, name, inner, path, asking) for one, inner in _inner(field)]
        return Group(path, name_of(name), [row], needed)
    if isinstance(field, fields.List):
        return Group(path, name_of(name), list(_rows(field, name, asking, path)), needed)
    return _asked(field, path, name, asking, needed=needed)


def _inner(field: Any) -> Sequence[tuple[str, Any]]:
    return list(field.schema.load_fields.items())


def _within(part: str, name: str, field: Any, path: str, asking: Asking) -> Asked:
    return _asked(field, f"{path}.{part}", f"{name}.{part}", asking, needed=False)


def _rows(field: Any, name: str, asking: Asking, path: str) -> Iterator[list[Asked]]:
    """The rows of a list: those that are filled in, and some more."""
    told = {n.removeprefix(f"{path}.") for n in asking.values if n.startswith(f"{path}.")}
    filled = max((_number(one.partition(".")[0]) + 1 for one in told), default=0)
    more = 0 if name in ("shares", "waivers") else max(1, _ROWS - filled)
    for at in range(filled + more):
        row = f"{path}.{at}"
        if isinstance(field.inner, fields.Nested):
            yield [_within(one, name, inner, row, asking) for one, inner in _inner(field.inner)]
        else:
            yield [_asked(field.inner, row, name, asking, needed=False)]


def _asked(field: Any, path: str, fact: str, asking: Asking, *, needed: bool) -> Asked:
    kind, options = _control(field, fact)
    options = asking.options.get(path, asking.options.get(fact, options))
    if options and kind == "text":
        kind = "choice"
    if fact in asking.sought:
        kind = "sought"
    value = asking.values.get(path, "")
    if fact.endswith(".unit") and not value:
        value = "亿元"
    return Asked(path, name_of(fact), kind, value, options, needed)


def _control(field: Any, fact: str) -> tuple[str, Sequence[tuple[str, str]]]:
    """The control that takes such a field, and what there is to choose from."""
    if fact in ("shares.member", "waivers.fact"):
        return "hidden", ()
    for kind, control in _CONTROLS.items():
        if isinstance(field, kind):
            return control(field), ()
    for check in field.validators:
        if isinstance(check, validate.OneOf):
            plain = fact.endswith(".unit")
            words = [(f"{c}", f"{c}" if plain else value_of(fact, c)) for c in check.choices]
            return ("unit" if plain else "choice"), words
    return "text", ()


_CONTROLS: Mapping[type, Callable[[Any], str]] = {
    Day: lambda _field: "day",
    TrueOrFalse: lambda _field: "yes",
    Version: lambda _field: "hidden",
    Text: lambda field: "lines" if field._lines else "text",
}
