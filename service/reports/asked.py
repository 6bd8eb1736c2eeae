"""What is asked of reports: the annual one as it is now, those that were sealed, their drift."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from heapq import nlargest
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.actor import today_in_china
from domain.errors import Invalid, NotFound, none_such
from domain.money import yuan
from domain.report import ANNUAL, digest_of
from domain.values import district_prefix_fault
from service.personal.personal import Personal
from service.projections.carried import Sums
from service.projections.choosing import Selection
from service.projections.fates import Retold, Window, fate_sums, fates, ids_of, largest_of
from service.projections.history import positions
from service.projections.kept_days import Mark, mark_within
from service.projections.pipeline import RULE
from service.projections.sealed import follower, last_number, reports
from service.reads import Reads, day_of
from service.reports.annual import (
    HUNDRED_MILLION,
    Claim,
    Tally,
    claims_of,
    named,
    sentence,
    tallies_of,
)
from service.reports.behind import leads_behind
from service.reports.drift import Cause, causes, changed, counted
from service.reports.periodic import periodic
from service.reports.periods import EARLIEST, KINDS, Period
from service.reports.printed import Printed, printed_annual, printed_periodic
from service.scope import ALL, Scope


class Asked(NamedTuple):
    """A report of ``year`` as of the cut-off ``end``, for a district (a prefix; None: all);
    ``within``: of the leads that are in such a district now."""

    year: int
    end: date
    district: str | None
    within: str | None = None

    @property
    def start(self) -> str:
        """The day from which on it counts."""
        return f"{self.year}-01-01"


def asked_for(year: int, end: date | None, district: str | None) -> Asked:
    """The report asked for: by default as of the year's end, or of today if that is to come.

    Invalid for a cut-off outside of the year, or to come, and for what is no district.
    """
    today = today_in_china()
    if not EARLIEST <= year <= today.year:
        raise Invalid.of(
            "year",
            "{year} is none of the years {earliest} to {latest}.",
            year=year,
            earliest=EARLIEST,
            latest=today.year,
        )
    end = end or min(date(year, 12, 31), today)
    if end.year != year:
        raise Invalid.of(
            "to", "{end} is not in {year}, the year of the report.", end=end, year=year
        )
    if end > today:
        raise Invalid.of(
            "to", "{end} is still to come; today is {today} in China.", end=end, today=today
        )
    fault = district_prefix_fault(district) if district else None
    if fault:
        raise Invalid({"district": [fault]})
    return Asked(year, end, district)


def _known(mark: Mark, known_at: int | None) -> int:
    """The position by which it is told, of a book that has come to the mark."""
    return mark.position if known_at is None else min(known_at, mark.position)


def _head(asked: Asked, known_at: int | None, position: int) -> dict[str, Any]:
    """What a report says of itself before anything else."""
    return {
        "year": asked.year,
        "from": asked.start,
        "to": f"{asked.end}",
        "district": asked.district,
        "known_at": known_at,
        "position": position,
        "rule": RULE,
    }


# So many years are kept as they were told last: each names every lead behind its numbers.
_KEPT = 2


class Reports:
    """Answers what leaders and auditors ask."""

    def __init__(self, reads: Reads, personal: Personal) -> None:
        self._reads = reads
        self._personal = personal
        self._kept: OrderedDict[tuple[Mark, Asked, int], dict[str, Any]] = OrderedDict()

    def annual(
        self, asked: Asked, known_at: int | None = None, scope: Scope = ALL
    ) -> dict[str, Any]:
        """The sentence and its claims, from what the log up to ``known_at`` tells of the leads
        that ``scope`` sees."""
        asked = asked._replace(within=scope.district)
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            mark = mark_within(connection)
            known = _known(mark, known_at)
            told = self._told_before(connection, mark, asked, known)
        return {**_head(asked, known_at, known), **told}

    def summary(
        self, asked: Asked, known_at: int | None = None, scope: Scope = ALL
    ) -> dict[str, Any]:
        """The same without the leads behind the numbers. Of the whole ledger it is carried forward
        as the log goes on, and costs little for however many leads."""
        asked = asked._replace(within=scope.district)
        if asked.district or asked.within:
            told = self.annual(asked, known_at, scope)
            return {**told, "claims": [_alone(claim) for claim in told["claims"]]}
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            then = _window(asked, _known(mark_within(connection), known_at))
            tallies = self._tallies(connection, asked, known_at)
            largest = tallies[-1].largest
            lead = None
            if largest is not None:
                lead = self._lead(connection, ids_of(connection, [largest])[largest], then)
        return {
            **_head(asked, known_at, then.known_at),
            "text": sentence(tallies, asked.end, lead),
            "claims": [_figures_of(tally, lead["id"] if lead else None) for tally in tallies],
        }

    def largest(
        self, asked: Asked, name: str, most: int, known_at: int | None = None, scope: Scope = ALL
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many leads are behind the claim of that name, and those of the ``most`` largest
        amounts, as they were at the cut-off."""
        asked = asked._replace(within=scope.district)
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            known = _known(mark_within(connection), known_at)
            if asked.district or asked.within:
                claims = {
                    claim.rule.name: claim for claim in self._claims(connection, asked, known)
                }
                fates = sorted(claims[name].fates, key=lambda fate: (-fate.fen, fate.number))
                count, numbers = len(fates), [fate.number for fate in fates[:most]]
            else:
                tallies = {one.rule.name: one for one in self._tallies(connection, asked, known_at)}
                count, kinds = tallies[name].value, tallies[name].kinds
                then = _window(asked, known)
                numbers = largest_of(
                    connection, then, day_of(asked.end), HUNDRED_MILLION, kinds, most
                )
            ids = ids_of(connection, sorted(numbers))
        return count, self._told_of(asked, known, [ids[number] for number in numbers])

    def about_to_sign(
        self, asked: Asked, most: int, known_at: int | None = None
    ) -> list[dict[str, Any]]:
        """Of the whole ledger's leads about to sign those of the ``most`` largest amounts, as they
        were at the cut-off."""
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            known = _known(mark_within(connection), known_at)
            signing = self._tallies(connection, asked, known_at)[-1].signing
            numbers = nlargest(most, signing, key=lambda number: (signing[number], number))
            ids = ids_of(connection, sorted(numbers))
        return self._told_of(asked, known, [ids[number] for number in numbers])

    def _told_of(self, asked: Asked, known: int, ids: Sequence[str]) -> list[dict[str, Any]]:
        """These leads as they were at the cut-off, in this order."""
        told = {"to": f"{asked.end}", "position": known, "district": asked.district}
        found = leads_behind(self._reads, {**told, "claims": [{"leads": ids}]})
        return [found[one] for one in ids]

    def _tallies(
        self, connection: sa.Connection, asked: Asked, known_at: int | None
    ) -> list[Tally]:
        """The claims of the whole ledger."""
        day = day_of(asked.end)

        def ask(connection: sa.Connection, known: int, among: Sequence[int] | None) -> Sums:
            return fate_sums(connection, _window(asked, known), day, HUNDRED_MILLION, among)

        question = ("fates", asked.start, f"{asked.end}", day)
        return tallies_of(self._reads.carried.sums(connection, question, known_at, ask))

    def periodic(
        self,
        period: Period,
        district: str | None,
        known_at: int | None = None,
        scope: Scope = ALL,
    ) -> dict[str, Any]:
        """The tables of a month or week, from what the log up to ``known_at`` tells of the leads
        that ``scope`` sees."""
        chosen = Selection(district=district, within=scope.district)
        return periodic(self._reads, period, chosen, known_at)

    def printed(self, report: Mapping[str, Any]) -> Printed:
        """A report that was given here, as it is printed."""
        if report.get("kind") in KINDS:
            return printed_periodic(report)
        return printed_annual(report, leads_behind(self._reads, report))

    def to_seal(self, asked: Asked) -> dict[str, Any]:
        """What a report that is sealed now says, with the ``number`` that it gets."""
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            known = mark_within(connection).position
            number = last_number(connection, ANNUAL, asked.year, asked.district) + 1
            told = self._told(connection, asked, known)
        place = {"number": number, "year": asked.year, "district": asked.district}
        window = {"start": asked.start, "end": f"{asked.end}", "known_at": known}
        return {**place, **window, "rule": RULE, **told}

    def sealed(self, report_id: UUID, scope: Scope = ALL) -> dict[str, Any]:
        """A sealed report of a district that ``scope`` sees, as it was published, whatever became
        of its leads; ``followed_by`` and ``verified``: whether the log tells the same still, when
        it is read up to the report's position. NotFound."""
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            report = _sealed(connection, report_id, scope)
            told = self._told(connection, _asked_by(report), report["position"])
            anew = {**report, **told, "start": report["from"], "end": report["to"]}
            same = digest_of({**anew, "known_at": report["position"]}) == report["digest"]
            return {**report, "followed_by": follower(connection, report), "verified": same}

    def all(
        self,
        before: int,
        limit: int,
        year: int | None,
        district: str | None,
        scope: Scope = ALL,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Sealed reports of what ``scope`` sees, the last one first, from those before the place
        ``before``; and where to go on."""
        self._reads.position()
        wanted = sa.select(reports).where(reports.c.seq < before, *_of(scope))
        wanted = wanted.order_by(reports.c.seq.desc())
        if year is not None:
            wanted = wanted.where(reports.c.year == year)
        if district is not None:
            wanted = wanted.where(reports.c.district == district)
        with self._reads.store.snapshot() as connection:
            rows = connection.execute(wanted.limit(limit + 1)).all()
        shown = [orjson.loads(row.body) for row in rows[:limit]]
        return shown, rows[limit - 1].seq if len(rows) > limit else None

    def drift(self, report_id: UUID, scope: Scope = ALL) -> dict[str, Any]:
        """Of each claim what was published, what it would be now, and the events that made the
        difference: each is one by which a lead came to be counted, or not, or with another
        amount, or the largest to be named otherwise. Events of leads that ``scope`` does not see
        any more are left out. NotFound."""
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            report = _sealed(connection, report_id, scope)
            asked, position = _asked_by(report), mark_within(connection).position
            then = _window(asked, report["position"])
            before = self._claims(connection, asked, then.known_at)
            after = self._claims(connection, asked, position)
            pairs = [
                (a, b, changed(counted(a), counted(b))) for a, b in zip(before, after, strict=True)
            ]
            told = Retold(connection, sorted({n for _, _, numbers in pairs for n in numbers}))
            found = [
                (a, b, list(causes(a.rule, numbers, told, asked.district, then, position)))
                for a, b, numbers in pairs
            ]
            found[-1][2].extend(self._renamed(connection, before[-1], after[-1], then))
            leads = {cause.number for _, _, these in found for cause in these}
            ids = ids_of(connection, sorted(leads), Selection(within=scope.district))
        events = self._events(
            {(ids[c.number], c.position) for _, _, these in found for c in these if c.number in ids}
        )
        return {
            "report": f"{report_id}",
            "published_at": report["position"],
            "position": position,
            "claims": [
                {
                    **_figures(a, b),
                    "events": [events[c.position] for c in sorted(set(these)) if c.number in ids],
                }
                for a, b, these in found
            ],
        }

    def _told_before(
        self, connection: sa.Connection, mark: Mark, asked: Asked, known_at: int
    ) -> dict[str, Any]:
        """As ``_told``, and the same answer while the book is the same: whoever looks at the year
        looks again, and each of its leads is told."""
        question = (mark, asked, known_at)
        found = self._kept.get(question) or self._told(connection, asked, known_at)
        self._kept[question] = found
        self._kept.move_to_end(question)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return {**found}

    def _told(self, connection: sa.Connection, asked: Asked, known_at: int) -> dict[str, Any]:
        claims = self._claims(connection, asked, known_at)
        numbers = sorted({fate.number for claim in claims for fate in claim.fates})
        ids = ids_of(connection, numbers)
        largest = claims[-1].largest
        window = _window(asked, known_at)
        lead = self._lead(connection, ids[largest.number], window) if largest else None
        return {
            "text": sentence(claims, asked.end, lead),
            "claims": [_shown(claim, ids) for claim in claims],
        }

    def _lead(self, connection: sa.Connection, lead_id: str, then: Window) -> dict[str, Any]:
        """A lead at the cut-off, as known then."""
        body = self._reads.body_then(connection, UUID(lead_id), then.known_at, then.end)
        lead: dict[str, Any] = orjson.loads(body)
        return lead

    def _renamed(
        self, connection: sa.Connection, before: Claim, after: Claim, then: Window
    ) -> Iterator[Cause]:
        """The events by which the sentence names the lead that is the largest, then and now, in
        other words."""
        if before.largest is None or after.largest is None:
            return
        number = before.largest.number
        if number != after.largest.number:
            return
        (lead_id,) = ids_of(connection, [number]).values()
        words = self._named(connection, lead_id, then)
        for position in sorted(positions(connection, lead_id).values()):
            if position > then.known_at:
                known = then._replace(known_at=position)
                now = self._named(connection, lead_id, known)
                if now != words:
                    yield Cause(position, number)
                words = now

    def _named(self, connection: sa.Connection, lead_id: str, then: Window) -> str:
        try:
            return named(self._lead(connection, lead_id, then))
        except NotFound:
            # It was no tip by then, as known for a while.
            return ""

    def _claims(self, connection: sa.Connection, asked: Asked, known_at: int) -> list[Claim]:
        chosen = Selection(district=asked.district, within=asked.within)
        return claims_of(fates(connection, chosen, _window(asked, known_at)))

    def _events(self, wanted: Iterable[tuple[str, int]]) -> dict[int, dict[str, Any]]:
        """What happened at these positions of these leads' histories, by position."""
        positions: dict[str, set[int]] = {}
        for lead_id, position in wanted:
            positions.setdefault(lead_id, set()).add(position)
        return {
            step["position"]: {"lead": lead_id, **{name: step[name] for name in _TOLD}}
            for lead_id, these in positions.items()
            for step in self._personal.steps(self._reads.history(UUID(lead_id)))
            if step["position"] in these
        }


# What is told of an event that made a difference.
_TOLD = (
    "position",
    "version",
    "event",
    "occurred_on",
    "recorded_at",
    "actor",
    "corrects",
    "changes",
)


def _window(asked: Asked, known_at: int) -> Window:
    return Window(asked.start, f"{asked.end}", known_at)


def _asked_by(report: Mapping[str, Any]) -> Asked:
    return Asked(report["year"], date.fromisoformat(report["to"]), report["district"])


def _of(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The reports that ``scope`` sees: those of its district, none of all districts."""
    return [reports.c.district.startswith(scope.district)] if scope.district else []


def _sealed(connection: sa.Connection, report_id: UUID, scope: Scope) -> dict[str, Any]:
    one = sa.select(reports.c.body).where(reports.c.id == str(report_id), *_of(scope))
    body = connection.execute(one).scalar()
    if body is None:
        raise none_such("report", report_id)
    report: dict[str, Any] = orjson.loads(body)
    return report


def _shown(claim: Claim, ids: Mapping[int, str]) -> dict[str, Any]:
    largest = claim.largest
    shown = _figures_of(claim, None if largest is None else ids[largest.number])
    return {**shown, "leads": [ids[fate.number] for fate in claim.fates]}


def _figures_of(claim: Claim | Tally, largest: str | None) -> dict[str, Any]:
    """A claim without the leads behind it; ``largest`` is the id of the one that is named."""
    shown: dict[str, Any] = {
        "name": claim.rule.name,
        "value": claim.value,
        "cny": None if claim.fen is None else yuan(claim.fen),
    }
    return {**shown, "largest": largest} if "{largest}" in claim.rule.clause else shown


def _alone(claim: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claim.items() if name != "leads"}


def _figures(before: Claim, after: Claim) -> dict[str, Any]:
    told: dict[str, Any] = {"name": before.rule.name}
    for name, claim in (("published", before), ("now", after)):
        fen = claim.fen
        told[name] = claim.value
        told[f"{name}_cny"] = None if fen is None else yuan(fen)
    return told
