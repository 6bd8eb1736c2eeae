"""A sealed report: a published sentence with everything that it was made of.

Its one event keeps the sentence, its numbers and the leads behind each, the cut-off, the counting
rule and the log position. It never changes; another report of the same year and district follows
it. The digest is SHA-256 over the canonical JSON (see ``digest_of``) of what was published.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Self
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.aggregate import Recorded
from domain.errors import Refused
from domain.values import check_text, parse_day

_REPORTS = UUID("9b1d3c54-6a0e-5f57-8c1b-2f7f64d1a0c6")
# What the digest is of: all that the report says, and what says how it came about.
DIGESTED = ("kind", "year", "start", "end", "district", "rule", "known_at", "text", "claims")
ANNUAL = "annual"


def digest_of(report: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the ``DIGESTED`` facts: JSON in UTF-8, keys sorted, no spaces."""
    facts = {name: report[name] for name in DIGESTED}
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


class Report(Recorded):
    """One sealed report."""

    @staticmethod
    def create_id(kind: str, year: int, district: str | None, number: int) -> UUID:
        """The id of the report with this number, from 1, among those of a year and district
        (None: all districts): so none is followed by two, however many are sealed at once."""
        return uuid5(_REPORTS, f"{kind}/{year}/{district or ''}/{number}")

    @classmethod
    def seal(
        cls,
        *,
        number: int,
        year: int,
        start: str,
        end: str,
        district: str | None,
        rule: str,
        known_at: int,
        text: str,
        claims: Sequence[Mapping[str, Any]],
        occurred_on: str,
        note: str | None = None,
    ) -> Self:
        """The annual report of ``year`` as of ``end``, from what was known at ``known_at``.

        ``claims``: {"name", "value", "cny", "leads"} each. Refused while the cut-off is to come.
        """
        if parse_day("to", end) > parse_day("occurred_on", occurred_on):
            raise Refused(
                "The cut-off {end} is still to come; a report is sealed once it is past.", end=end
            )
        facts = {
            "kind": ANNUAL,
            "year": year,
            "start": start,
            "end": end,
            "district": district,
            "rule": rule,
            "known_at": known_at,
            "text": text,
            "claims": [dict(claim) for claim in claims],
        }
        return cls._create(
            cls.Sealed,
            id=cls.create_id(ANNUAL, year, district, number),
            number=number,
            **facts,
            digest=digest_of(facts),
            occurred_on=occurred_on,
            note=check_text("note", note, 2000, lines=True) if note else None,
        )

    class Sealed(Recorded.Event, Aggregate.Created):
        """The report was published as it stands."""

        TOPIC = "report.sealed"
        number: int
        kind: str
        year: int
        start: str
        end: str
        district: str | None
        rule: str
        known_at: int
        text: str
        claims: list[dict[str, Any]]
        digest: str

        def apply(self, aggregate: Any) -> None:
            """Nothing: no command can change a sealed report, so none needs its facts."""
