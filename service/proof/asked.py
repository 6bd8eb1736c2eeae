"""The ledger verified for somebody who waits: how far it is, and in the end what was found."""

from collections.abc import Iterator
from typing import Any

from service.application import Ledger
from service.proof.notes import BadNote
from service.proof.tree import Inconsistent
from service.proof.verdict import Verdict, judging, length_since

# So many times at most it is told how far it is.
_TIMES = 100


def verification(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """``done`` ``of`` so many events, now and then; last of all whether it ``holds``: how many
    events, up to which position, with which root, how many of them a checkpoint covers; or the
    ``detail`` of what does not."""
    of = length_since(ledger, None)
    done = told = 0
    going = judging(ledger)
    try:
        while True:
            try:
                done += next(going)
            except StopIteration as end:
                yield _holds(end.value)
                return
            if done - told >= of / _TIMES:
                told = done
                yield {"done": done, "of": max(of, done)}
    except (Inconsistent, BadNote) as why:
        detail = why.sentence if isinstance(why, Inconsistent) else f"{why}"
        yield {"holds": False, **dict.fromkeys(Verdict._fields), "detail": detail}
    finally:
        going.close()


def _holds(found: Verdict) -> dict[str, Any]:
    told = found._asdict() | {"root": found.root.hex()}
    return {"holds": True, **told, "detail": None}
