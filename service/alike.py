"""The new leads of an import that may be the same as another: of the ledger, or of the file itself.

Each is compared as a tip that is entered is (`similar.py`): with all that the ledger knew before
the file, and with the rows above it. That takes milliseconds for each, so only so many are.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any

from domain.lead import Lead
from service.likeness import keys_of, reasons, score
from service.projections.likenesses import MOST_OF_A_KEY
from service.similar import MOST_SHOWN, Similar, shown

# Of one import: how many new leads are compared, and how many of those like another are named.
MOST_COMPARED, MOST_NAMED = 2000, 100


@dataclass
class Alike:
    """What was found: how many new leads were ``compared``, how many of them are like another, and
    the likeliest of those, each with its row and its ``possible_duplicates``."""

    compared: int = 0
    alike: int = 0
    leads: list[dict[str, Any]] = field(default_factory=list)


class Newcomers:
    """The new leads of a file so far, as much as is compared of them."""

    def __init__(self) -> None:
        self._new: list[dict[str, Any]] = []

    def add(self, lead: Lead, row: str) -> None:
        """One more, of that row; none that the paper calls a duplicate itself."""
        if len(self._new) < MOST_COMPARED and lead.screened != "duplicate":
            facts = {name: lead.facts[name] for name in ("title", "investor")}
            self._new.append({"id": str(lead.id), "row": row, "stage": lead.stage, **facts})

    def alike(self, known: Similar) -> Alike:
        """What each may be the same as. For whoever called ``position()`` just now."""
        found = Alike(compared=len(self._new))
        named = nlargest(MOST_NAMED, self._counted(found, known), key=lambda one: one[:2])
        found.leads = [lead for _, _, lead in named]
        return found

    def _counted(self, found: Alike, known: Similar) -> Iterator[tuple[float, int, dict[str, Any]]]:
        """(score of the likeliest, minus the place, lead) of those like another."""
        above: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=MOST_OF_A_KEY))
        for place, lead in enumerate(self._new):
            keys = keys_of(lead["title"], lead["investor"])
            others = sorted({other for key in keys for other in above[key]})
            for key in keys:
                above[key].append(place)
            likely = [*known.to(lead), *self._among(lead, others)]
            if likely:
                found.alike += 1
                likely.sort(key=lambda one: -one["score"])
                told = {name: lead[name] for name in ("id", "row", "title", "stage")}
                best = likely[0]["score"]
                yield best, -place, {**told, "possible_duplicates": likely[:MOST_SHOWN]}

    def _among(self, lead: dict[str, Any], places: list[int]) -> list[dict[str, Any]]:
        """Those of the file that it may be the same as, the likeliest first."""
        weighed = ((place, reasons(lead, self._new[place])) for place in places)
        found = [(score(why), -place) for place, why in weighed if why]
        best = ((likely, self._new[-place]) for likely, place in nlargest(MOST_SHOWN, found))
        return [{**shown(other, lead, likely), "row": other["row"]} for likely, other in best]
