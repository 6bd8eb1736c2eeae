"""Everything the ledger can say no with.

LedgerError
├── Invalid       a value is wrong in itself; names the field
├── Refused       the stage or a rule does not allow it; may list missing facts
├── Forbidden     this actor may not
├── NotFound      there is no such thing (or none that this actor may see)
├── Stale         somebody else changed it since; lists what happened
├── KeyReused     an idempotency key came again with another request
└── NotReady      the ledger cannot answer just now; nothing was recorded
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from domain.sentences import Sentence, quoted


class LedgerError(Exception):
    """The root: ``str()`` of it is a whole sentence for the user. ``sentence`` is the same, and
    knows what it is made of, for pages in other languages (see `domain.sentences`)."""

    def __init__(self, pattern: str, /, **places: Any) -> None:
        self.sentence = pattern if isinstance(pattern, Sentence) else Sentence(pattern, **places)
        super().__init__(self.sentence)


class Invalid(LedgerError):
    """``errors`` maps each wrong field to the reasons, each a sentence with the value in it."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {quoted(f): list(map(quoted, reasons)) for f, reasons in errors.items()}
        super().__init__(" ".join(f"{f}: {' '.join(r)}" for f, r in self.errors.items()))

    @classmethod
    def of(cls, field: str, pattern: str, /, **places: Any) -> Self:
        """One field, for one reason."""
        return cls({field: [Sentence(pattern, **places)]})


class Refused(LedgerError):
    """``missing`` names the facts whose absence was the reason, if that was it."""

    def __init__(self, pattern: str, /, *, missing: Sequence[str] = (), **places: Any) -> None:
        self.missing = list(missing)
        super().__init__(pattern, **places)


class Forbidden(LedgerError):
    """The role, or the person, may not do this."""


class NotFound(LedgerError):
    """No such lead, member or version."""


# What there may be none of → how that is said.
_NO: Mapping[str, str] = {
    "lead": "There is no lead {id}.",
    "member": "There is no member {id}.",
    "report": "There is no report {id}.",
    "import": "There is no import {id}.",
    "subject": "There is no subject {id}.",
}


def none_such(kind: str, id: Any) -> NotFound:
    """There is none of that ``kind`` of thing with that id."""
    return NotFound(_NO[kind], id=id)


class Stale(LedgerError):
    """The caller's version is not the present one; ``events`` is the history since then."""

    def __init__(
        self, pattern: str, /, *, events: Sequence[Mapping[str, Any]], **places: Any
    ) -> None:
        self.events = list(events)
        super().__init__(pattern, **places)


class KeyReused(LedgerError):
    """The same idempotency key named a different request before."""


class NotReady(LedgerError):
    """Try again in ``retry_after`` seconds; nothing that was answered before is lost."""

    def __init__(self, pattern: str, /, *, retry_after: int = 1, **places: Any) -> None:
        self.retry_after = retry_after
        super().__init__(pattern, **places)
