"""What the ledger says to its users: sentences, each of a pattern and what stands in its places.

The pattern is English, and so is ``str()`` of a sentence. Whoever speaks another language says the
pattern in that language, and puts the same values into its places: no sentence is ever taken apart.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Self

PLACE = re.compile(r"\{(\w+)\}")


class Sentence(str):
    """A sentence, or a part of one, of a ``pattern`` with ``places``: name → value.

    A value is a text or a number, several of them, a `Named`, or a part that is a Sentence itself.
    """

    __slots__ = ("pattern", "places")
    pattern: str
    places: Mapping[str, Any]

    def __new__(cls, pattern: str, /, **places: Any) -> Self:
        """``pattern`` has its places as {name}. It is written out where it is said: by it other
        languages know the sentence."""
        kept = {name: _kept(value) for name, value in places.items()}
        words = {name: _joined(value) for name, value in kept.items()}
        made = super().__new__(cls, PLACE.sub(lambda place: words.get(place[1], place[0]), pattern))
        made.pattern, made.places = pattern, kept
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], Mapping[str, Any]]:
        return (self.pattern,), self.places


class Named(str):
    """One of the ledger's own words with what the office calls it: ``signed (签约)``."""

    __slots__ = ("label",)
    label: str

    def __new__(cls, name: str, label: str) -> Self:
        """``label`` is the office's word, in Chinese."""
        made = super().__new__(cls, f"{name} ({label})")
        made.label = label
        return made

    @property
    def name(self) -> str:
        """The word alone."""
        return self.removesuffix(f" ({self.label})")

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        return (self.name, self.label), {}


def together(sentences: Iterable[str]) -> str:
    """Several sentences, one after the other, as one."""
    some = list(sentences)
    if len(some) == 1:
        return some[0]
    places = {f"_{number}": one for number, one in enumerate(some)}
    return Sentence(" ".join(f"{{{name}}}" for name in places), **places)


def packed(said: Any) -> Any:
    """A sentence, or a value in one, as JSON has it."""
    if isinstance(said, Sentence):
        return {"pattern": said.pattern, "places": {n: packed(v) for n, v in said.places.items()}}
    if isinstance(said, Named):
        return {"name": said.name, "label": said.label}
    return [packed(one) for one in said] if isinstance(said, list) else said


def unpacked(kept: Any) -> Any:
    """What ``packed`` made of it."""
    if isinstance(kept, list):
        return [unpacked(one) for one in kept]
    if not isinstance(kept, dict):
        return kept
    if "name" in kept:
        return Named(kept["name"], kept["label"])
    return Sentence(kept["pattern"], **{n: unpacked(v) for n, v in kept["places"].items()})


def quoted(text: str) -> str:
    """``text`` with what no UTF-8 can hold, a lone surrogate, as its escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _kept(value: Any) -> Any:
    if isinstance(value, int):
        return value
    if isinstance(value, Collection) and not isinstance(value, str):
        return [_kept(one) for one in value]
    return quoted(value if isinstance(value, str) else f"{value}")


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value}"
