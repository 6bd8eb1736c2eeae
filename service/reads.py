"""The reads: each first brings the projections to the end of the log, then asks them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import count
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.actor import now, today_in_china
from domain.correction import CORRECTED
from domain.errors import Invalid, NotFound, NotReady, none_such
from domain.posting import OCCURRED
from domain.stage import LANDED
from service.log import LedgerMapper, UnreadableEvent
from service.log_recorder import LedgerRecorder, Streams, Version
from service.projections import lead_list
from service.projections.carried import Carried, Sums
from service.projections.catch_up import CatchUp
from service.projections.choosing import EVERYTHING, FILTERS, Selection
from service.projections.district_book import DistrictBook, tips_across
from service.projections.entries import Entries
from service.projections.groups import group_sums, groups
from service.projections.history import History, positions, version_known_at
from service.projections.kept_days import KeptDays, Mark, MarkNow, mark_within
from service.projections.leads import Leads, joined_members, lead_members, leads
from service.projections.likenesses import Likenesses
from service.projections.members import FIELDS as MEMBER_FIELDS
from service.projections.members import Members, called, members, people_of, so_called
from service.projections.moment import NOW
from service.projections.past_days import PastDays, Which, can_tell
from service.projections.pipeline import (
    MOST_STEPS,
    RULE,
    Book,
    Days,
    movements,
    pipeline,
    pipeline_json,
    series,
    step_ends,
    times,
)
from service.projections.sealed import Sealed
from service.projections.sharings import Sharings, credit_at, credit_lines
from service.projections.stood import Stood
from service.projections.store import (
    FOREVER,
    LAST_DAY,
    Prepared,
    Projection,
    Store,
    bookmarks,
)
from service.projections.units import Units
from service.projections.variants import Variants
from service.projections.view import people_in, view_as_of
from service.replay import steps
from service.scope import ALL, Scope

_LEAD = Prepared(
    lambda _insert: sa.select(leads.c.body, leads.c.version).where(
        leads.c.id == sa.bindparam("id")
    ),
    ["id"],
)
# What was not asked before; None is kept of what was asked once.
_NEVER: tuple[()] = ()
# How many answers from the book are kept: each holds until the log goes on.
_REMEMBERED = 256
_BOOKMARK = Prepared(lambda _insert: sa.select(sa.func.min(bookmarks.c.position)), [])
_DAY = timedelta(days=1)

# What was asked of the book: which answer, of which leads, from, to, as known at, by which days.
Asked = tuple[str, Selection, date, date, int | None, str]
# What the book says to it, as a dictionary or as the JSON of one.
Said = Mapping[str, Any] | bytes
_NOW = FOREVER - 1
# A moment to come by no more than this is one by a clock that is ahead: it is now.
_CLOCKS_DIFFER = timedelta(minutes=1)


def _unknown(lead_id: UUID, position: int | None) -> NotFound:
    """What is said of a lead that was recorded after ``position`` only."""
    return NotFound(
        "Lead {lead_id} was not known at position {position}.", lead_id=lead_id, position=position
    )


def projections() -> list[Projection]:
    """Everything that is made from the log to be read, in the order in which it is made."""
    found: list[Projection] = [Members(), Leads(), History(), Entries(), Variants(), Units()]
    return [*found, Stood(), DistrictBook(), Sharings(), Sealed(), Likenesses()]


@dataclass(frozen=True)
class Found:
    """A lead's JSON at ``version``, and the log position that it reflects."""

    body: bytes
    version: int
    position: int


@dataclass(frozen=True)
class LeadPage:
    """Leads' JSON, the log position of the first page, and where to go on (None: the end)."""

    bodies: list[bytes]
    position: int
    last: tuple[Any, int] | None
    reflects: int


class Reads:
    """Everything that clients ask of the ledger."""

    def __init__(
        self,
        recorder: LedgerRecorder,
        mapper: LedgerMapper,
        store: Store,
        log_went_on: Callable[[], None] = lambda: None,
        *,
        follows: bool = False,
    ) -> None:
        """``log_went_on`` is called whenever the log may have gone on, before anything is read.
        ``follows``: the log that is read comes after the one that is written, as a copy of it,
        which may not have yet what clients were answered."""
        self._recorder = recorder
        self.follows = follows
        self._log_went_on = log_went_on
        self._mapper = mapper
        self.store = store
        self.catch_up = CatchUp(recorder, mapper, self.store, projections())
        self._seen, self._looking = Lock(), Lock()
        # How the log was when somebody last looked, and when its position was last read.
        self._log_state, self._seen_state = Version(0, 0), Version(-1, 0)
        self._looks, self._last_look = count(1), 0
        self._seen_position = 0
        self._kept_days = KeptDays(self.store)
        self.past_days = PastDays(self.store)
        self.carried = Carried()
        self._mark = MarkNow(self.store)
        self._answers: OrderedDict[Asked, tuple[Mark, Any] | None] = OrderedDict()

    def data_version(self) -> int:
        """A number that changes whenever something beside the log did; takes note that the log may
        have gone on, whoever recorded. Where it did, what is kept of either is asked for anew."""
        return self.data_version_beside(())[0]

    def data_version_beside(self, ids: Sequence[UUID]) -> tuple[int, Streams]:
        """The same, and streams as `LedgerRecorder.version_beside` gives them."""
        look = next(self._looks)
        state, streams = self._recorder.version_beside(ids)
        with self._looking:
            # An answer may be overtaken on its way by that to a later question.
            went_on = look > self._last_look and state != self._log_state
            if look > self._last_look:
                self._last_look, self._log_state = look, state
            else:
                state = self._log_state
        if went_on:
            self._log_went_on()
        return state.beside, streams

    @property
    def seen_position(self) -> int:
        """The last position of the log, or a later one than when ``data_version()`` looked."""
        if self._seen_state != self._log_state:
            with self._seen:
                # Read after the state: it may be later than that says, but never earlier.
                state = self._log_state
                self._seen_position = self._recorder.last_position(state)
                self._seen_state = state
        return self._seen_position

    def behind(self) -> tuple[int, datetime | None]:
        """How many positions of the log the projections have yet to take in, and the moment of the
        first of these; None without any, or where that cannot be read."""
        seen = min(self.catch_up.status().values())
        missing = (self._recorder.max_notification_id() or 0) - seen
        if missing <= 0:
            return 0, None
        first = self._recorder.select_notifications(seen, 1, inclusive_of_start=False)
        try:
            event: Any = self._mapper.to_domain_event(first[0])
        except UnreadableEvent:
            # Why they stopped is told by whoever asks for a number.
            return missing, None
        return missing, event.timestamp

    def position(self) -> int:
        """The log's last position, to which the projections are brought before it returns."""
        self.data_version()
        return self.caught_up()

    def caught_up(self) -> int:
        """As ``position()``, for whoever asked for ``data_version()`` just now."""
        position = self.seen_position
        self.catch_up.to(position)
        return position

    # Leads

    def lead(self, lead_id: UUID, position: int | None = None) -> Found:
        """A lead as it stands; NotFound. ``position``: what ``position()`` gave just now."""
        position = self.position() if position is None else position
        row = self.store.first(_LEAD, str(lead_id))
        if row is None:
            raise none_such("lead", lead_id)
        return Found(row[0], row[1], position)

    def lead_at(
        self,
        lead_id: UUID,
        version: int | None = None,
        known_at: int | None = None,
        as_of: date | None = None,
    ) -> Found:
        """A lead as it was at ``version``, or as the log up to ``known_at`` tells it, or as what
        had happened by the end of the day ``as_of`` makes it; NotFound where it was not yet."""
        found = self.lead(lead_id)
        if known_at is not None:
            with self.store.reading() as connection:
                known = version_known_at(connection, str(lead_id), known_at)
            if known is None:
                raise _unknown(lead_id, known_at)
            version = known if version is None else min(version, known)
        version = found.version if version is None else version
        if not 1 <= version <= found.version:
            raise NotFound(
                "Lead {lead_id} has no version {version}; it is at {last}.",
                lead_id=lead_id,
                version=version,
                last=found.version,
            )
        if version == found.version and as_of is None:
            return found
        body = self._then(lead_id, version, LAST_DAY if as_of is None else f"{as_of}")
        if body is None:
            raise NotFound(
                "Lead {lead_id} had not been tipped by {as_of}.", lead_id=lead_id, as_of=as_of
            )
        return Found(body, version, found.position)

    def _then(self, lead_id: UUID, version: int | None, day: str) -> bytes | None:
        """The lead's JSON at a version as of a day; None before its tip."""
        events = self.events_of(lead_id, version)
        with self.store.reading() as connection:
            people = people_of(connection, people_in(events))
        names = {id: person.name for id, person in people.items()}
        view = view_as_of(events, names, day, alone=True)
        return orjson.dumps(view.lead) if view else None

    def leads(self, question: lead_list.Question) -> LeadPage:
        """One page of leads; later pages show them as they were known at the first."""
        self.position()
        with self.store.snapshot() as connection:
            reflects = _BOOKMARK.one(connection)[0] or 0
            if self.follows and reflects < question.known_at < _NOW:
                raise NotReady(
                    "What is read here has come to log position {position} only.", position=reflects
                )
            if question.known_at >= reflects:
                question = replace(question, known_at=_NOW)
            page = lead_list.page(connection, question)
            bodies = [
                body or self.body_then(connection, UUID(id), question.known_at, question.as_of)
                for id, body in page.rows
            ]
        position = reflects if question.known_at == _NOW else question.known_at
        return LeadPage(bodies, position, page.last, reflects)

    def body_then(
        self, connection: sa.Connection, lead_id: UUID, known_at: int, as_of: str
    ) -> bytes:
        """A lead's JSON as of a day (ISO) as known at a position; NotFound where it was none."""
        version = version_known_at(connection, str(lead_id), known_at)
        body = self._then(lead_id, version, as_of)
        if body is None:
            raise NotFound(
                "Lead {lead_id} had not been tipped by {as_of}.", lead_id=lead_id, as_of=as_of
            )
        return body

    def history(
        self, lead_id: UUID, after: int = 0, known_at: int | None = None
    ) -> list[dict[str, Any]]:
        """What happened to a lead after version ``after``, oldest first, as the log up to
        ``known_at`` tells it (see `service.replay`); NotFound."""
        self.position()
        with self.store.reading() as connection:
            known = version_known_at(
                connection, str(lead_id), _NOW if known_at is None else known_at
            )
            at = positions(connection, str(lead_id))
            if known is None:
                raise (_unknown(lead_id, known_at) if at else none_such("lead", lead_id))
            events = self.events_of(lead_id, known)
            members = {member for event in events for member in _members_in(event)}
            people = people_of(connection, sorted(members))
        names = {member_id: person.name for member_id, person in people.items()}
        return [step for step in steps(events, at, names) if step["version"] > after]

    def lead_seen(self, lead_id: UUID, scope: Scope, *, proposed: bool = False) -> int:
        """The version of a lead as it stands, if ``scope`` sees it, or (``proposed``) that is
        proposed to pass there; NotFound for any other, asked and told as for one that does not
        exist."""
        self.position()
        chosen = scope.seen.values()
        one = _seen(tuple(chosen), proposed)
        row = self.store.first(one, *chosen.values(), *NOW.values(), str(lead_id))
        if row is None:
            raise none_such("lead", lead_id)
        version: int = row[0]
        return version

    def events_of(self, lead_id: UUID, upto: int | None) -> list[Any]:
        """A lead's events up to a version, as they were recorded; None for all."""
        stored = self._recorder.select_events(lead_id, lte=upto)
        return [self._mapper.to_domain_event(event) for event in stored]

    def events_since(self, position: int, most: int) -> list[Any] | None:
        """What was recorded after a position, in order; None if that is more than ``most``."""
        after = self._recorder.select_notifications(position, most + 1, inclusive_of_start=False)
        return None if len(after) > most else [self._mapper.to_domain_event(one) for one in after]

    # Members

    def member(self, member_id: UUID, scope: Scope = ALL) -> dict[str, Any]:
        """A member with ``tips``, ``landed`` and ``credit``, of leads in the scope's district;
        NotFound."""
        self.position()
        with self.store.snapshot() as connection:
            row = connection.execute(_one_member(member_id, scope)).one_or_none()
            if row is None:
                raise none_such("member", member_id)
            return _with_results(connection, [row], scope)[0]

    def member_numbers(self, district: str) -> list[str]:
        """The numbers of all members of a district."""
        self.position()
        with self.store.reading() as connection:
            found = sa.select(members.c.number).where(members.c.district == district)
            return list(connection.execute(found).scalars())

    def member_seen(self, member_id: UUID, scope: Scope) -> int:
        """The version of a member, if ``scope`` sees it; NotFound for any other."""
        self.position()
        with self.store.reading() as connection:
            row = connection.execute(_one_member(member_id, scope)).one_or_none()
        if row is None:
            raise none_such("member", member_id)
        version: int = row.version
        return version

    def last_tip_of(self, member_id: UUID) -> str | None:
        """The day of the last tip that the member reported; None without any."""
        self.position()
        last = (
            sa.select(sa.func.max(leads.c.tip_on))
            .join(lead_members, leads.c.number == lead_members.c.lead)
            .where(lead_members.c.member_id == str(member_id), lead_members.c.until == FOREVER)
        )
        with self.store.reading() as connection:
            day: str | None = connection.execute(last).scalar_one()
        return day

    def members_called(self, words: str, most: int, scope: Scope = ALL) -> list[dict[str, Any]]:
        """Those that ``scope`` sees and who may tip, whose name or number has these words in it."""
        self.position()
        with self.store.reading() as connection:
            return called(connection, words, most, *_people(scope))

    def members_so_called(self, words: str, scope: Scope = ALL) -> list[str]:
        """The ids of those whose number this is, or whose name, or both; of many the first two."""
        self.position()
        with self.store.reading() as connection:
            return so_called(connection, words, *_people(scope))

    def members(
        self,
        after: int,
        limit: int,
        district: str | None,
        sector: str | None,
        scope: Scope = ALL,
        tipping: "Tipping | None" = None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Members that ``scope`` sees, in the order they were registered, after ``after``; and
        where to go on. ``tipping``: with ``tips_in_year``, and only those that it names."""
        self.position()
        wanted = sa.select(members).where(members.c.seq > after, *_people(scope))
        wanted = wanted.order_by(members.c.seq)
        if district:
            wanted = wanted.where(members.c.district.startswith(district))
        if sector:
            wanted = wanted.where(members.c.sector == sector)
        limits = Selection(within=scope.district).values() if tipping else {}
        if tipping:
            wanted = wanted.where(*_of_whom(tipping, scope))
        with self.store.snapshot() as connection:
            rows = connection.execute(wanted.limit(limit + 1), limits).all()
            shown = rows[:limit]
            more = shown[-1].seq if len(rows) > limit else None
            found = _with_results(connection, shown, scope)
            if tipping:
                counted = connection.execute(_tips_in(tipping.year, scope), limits)
                tips = {row.member_id: row.tips for row in counted}
                found = [{**one, "tips_in_year": tips.get(one["id"], 0)} for one in found]
            return found, more

    def credit(
        self, chosen: Selection, as_of: date | None, known_at: int | None, by: str
    ) -> dict[str, Any]:
        """The credit of members, or of sectors (``by``), in the leads ``chosen``; and its sum,
        which is the number of these leads without duplicates."""
        self.position()
        day = LAST_DAY if as_of is None else day_of(as_of)
        with self.store.snapshot() as connection:
            position = mark_within(connection).position
            known = _NOW if known_at is None or known_at >= position else known_at
            credit = credit_at(connection, chosen, day, known)
            lines = credit_lines(connection, credit, by)
        head = {"as_of": None if as_of is None else f"{as_of}", "known_at": known_at}
        total = f"{sum(credit.values())}"
        return {**head, "by": by, "position": position, "credit": total, "lines": lines}

    # The book

    def pipeline(
        self,
        selection: Selection,
        start: date,
        end: date,
        known_at: int | None,
        by: str = OCCURRED,
    ) -> dict[str, Any]:
        """The pipeline of a window, as known at a log position, by the days of what OCCURRED or
        was RECOGNISED."""
        self.position()
        found, _ = self.pipeline_json(selection, start, end, known_at, by)
        pipeline: dict[str, Any] = orjson.loads(found)
        return pipeline

    def pipeline_json(
        self, selection: Selection, start: date, end: date, known_at: int | None, by: str
    ) -> tuple[bytes, int]:
        """The same as JSON, with the log position it reflects, for whoever called ``position()``
        just now."""
        asked = ("pipeline", selection, start, end, known_at, by)
        return self._days(asked, lambda b: pipeline_json(b, start, end))

    def movements(
        self,
        selection: Selection,
        start: date,
        end: date,
        known_at: int | None,
        by: str = OCCURRED,
    ) -> dict[str, Any]:
        """Opening, in, out and closing of each stage in a window."""
        asked = ("movements", selection, start, end, known_at, by)
        self.position()
        answer: dict[str, Any] = self._days(asked, lambda b: movements(b, start, end))[0]
        return answer

    def series(
        self,
        selection: Selection,
        start: date,
        end: date,
        known_at: int | None,
        step: str,
        by: str = OCCURRED,
    ) -> dict[str, Any]:
        """What stood in each stage at each step's end; Invalid for more than a thousand steps."""
        days = {"day": 1, "week": 7, "month": 28}[step]
        if (end - start).days // days >= MOST_STEPS:
            raise Invalid.of(
                "step",
                "More than {most} steps of a {step}; ask for fewer.",
                most=MOST_STEPS,
                step=step,
            )
        ends = step_ends(start, end, step)

        def answer(book: Book) -> dict[str, Any]:
            return {"step": step, "points": list(series(book, start, ends))}

        self.position()
        asked = (f"series by {step}", selection, start, end, known_at, by)
        found: dict[str, Any] = self._book(asked, answer)[0]
        return found

    def times(
        self,
        selection: Selection,
        start: date,
        end: date,
        known_at: int | None = None,
        by: str = OCCURRED,
    ) -> dict[str, Any]:
        """How long leads stay in each stage."""
        asked = ("times", selection, start, end, known_at, by)
        self.position()
        found: dict[str, Any] = self._book(asked, lambda b: {"stages": times(b, start, end)})[0]
        return found

    def groups(
        self, selection: Selection, as_of: date, known_at: int | None, by: str
    ) -> dict[str, Any]:
        """What stands where on a day in each industry, or sector (``by``); the largest first."""
        self.position()
        asked = ("groups", selection, as_of, as_of, known_at, by)

        def summed(connection: sa.Connection, known: int, among: Sequence[int] | None) -> Sums:
            return group_sums(connection, selection, day_of(as_of), known, by, among)

        def answer(connection: sa.Connection) -> dict[str, Any]:
            if selection != EVERYTHING:
                then = _NOW if known_at is None else known_at
                return {"lines": groups(summed(connection, then, None), by)}
            question = ("groups", day_of(as_of), by)
            return {"lines": groups(self.carried.sums(connection, question, known_at, summed), by)}

        found = self._rows(asked, answer)[0]
        head = {"as_of": f"{as_of}", "known_at": known_at, "by": by}
        return {**head, "position": found["position"], "lines": found["lines"]}

    def whole_book_balances(self) -> bool:
        """The trial balance of everything ever posted."""
        self.position()
        with self.store.snapshot() as connection:
            return bool(
                pipeline(
                    Book(connection, Selection()), date.min.replace(year=1900), date(9999, 12, 31)
                )["balanced"]
            )

    def position_named(self, text: str) -> int:
        """The log position that ``text`` names: as such, or as the last one recorded up to a
        moment (RFC 3339 with its zone); Invalid names ``known_at``.

        What is yet to be recorded cannot be asked for: the answer would be another one later.
        """
        if text.isascii() and text.isdigit() and len(text) <= 18:
            return self._recorded(int(text))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise Invalid.of(
                "known_at",
                "'{text}' is neither a log position nor a moment like 2025-12-29T16:00:00Z.",
                text=text[:40],
            )
        if moment > now() + _CLOCKS_DIFFER:
            raise Invalid.of(
                "known_at",
                "'{text}' is to come; it is {now}.",
                text=text[:40],
                now=f"{now():%Y-%m-%dT%H:%M:%SZ}",
            )
        return self.position_known_at(moment)

    def _recorded(self, position: int) -> int:
        last = self._recorder.max_notification_id() or 0
        if position > last:
            raise Invalid.of(
                "known_at",
                "{position} is past the last log position, {last}.",
                position=position,
                last=last,
            )
        return position

    def knew_something(self, moment: datetime) -> bool:
        """Whether anything was recorded up to ``moment``."""
        first = self._recorder.select_notifications(1, 1)
        return any(self._mapper.to_domain_event(one).timestamp <= moment for one in first)

    def position_known_at(self, moment: datetime) -> int:
        """The last position recorded up to ``moment`` (positions are in the order of recording)."""
        low, high = 0, self._recorder.max_notification_id() or 0
        while low < high:
            middle = (low + high + 1) // 2
            found = self._recorder.select_notifications(middle, 1)
            event: Any = self._mapper.to_domain_event(found[0])
            if event.timestamp <= moment:
                low = found[0].id if found[0].id <= high else middle
            else:
                high = middle - 1
        return low

    def _days(self, asked: Asked, ask: Callable[[Days], Said]) -> tuple[Any, int]:
        """What ``ask`` makes of a window's two ends; of the whole book they are kept."""
        _, selection, start, end, known_at, by = asked
        wanted = (start - _DAY, end)
        if selection != EVERYTHING or known_at is not None:
            return self._past(asked, wanted, ask) if can_tell(selection) else self._book(asked, ask)
        if by != OCCURRED:
            return self._book(asked, ask)

        def found(mark: Mark) -> tuple[Mark, Said]:
            book = self._kept_days.at(mark, wanted)
            return book.mark, ask(book)

        return self._answer(asked, found)

    def _past(
        self, asked: Asked, wanted: Sequence[date], ask: Callable[[Days], Said]
    ) -> tuple[Any, int]:
        """What was known at a position, which may be the present one, of all leads or a district's;
        asked of the entries where too many of these passed through several districts."""
        _, selection, _, end, known_at, by = asked

        def found(mark: Mark) -> tuple[Mark, Said]:
            then = mark.position if known_at is None else min(known_at, mark.position)
            which = Which(selection.district or "", selection.within or "", day_of(end), then, by)
            book: Days | None = self.past_days.at(mark, which, wanted)
            if book is None:
                with self.store.snapshot() as connection:
                    return mark, ask(Book(connection, selection, which.as_of, then, by))
            return mark, ask(book)

        return self._answer(asked, found)

    def _book(self, asked: Asked, ask: Callable[[Book], Said]) -> tuple[Any, int]:
        _, selection, _, end, known_at, by = asked
        position = _NOW if known_at is None else known_at
        return self._rows(asked, lambda c: ask(Book(c, selection, day_of(end), position, by)))

    def _rows(self, asked: Asked, ask: Callable[[sa.Connection], Said]) -> tuple[Any, int]:
        """What ``ask`` finds in a snapshot of the book."""

        def found(_mark: Mark) -> tuple[Mark, Said]:
            with self.store.snapshot() as connection:
                return mark_within(connection), ask(connection)

        return self._answer(asked, found)

    def _answer(self, asked: Asked, ask: Callable[[Mark], tuple[Mark, Said]]) -> tuple[Any, int]:
        """The answer as of where the caller has brought the book, and that position: the one given
        before, while the book is the same. JSON where ``ask`` says JSON, else a dictionary."""
        mark = self._mark.now(self.seen_position)
        kept = self._answers.get(asked, _NEVER)
        if kept and kept[0] == mark:
            self._answers.move_to_end(asked)
            return kept[1], mark.position
        mark, found = ask(mark)
        answer = _headed(asked, mark.position, found)
        # What is asked for the first time is only noted: most of it never comes again.
        self._answers[asked] = None if kept is _NEVER else (mark, answer)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return answer, mark.position


def _headed(asked: Asked, position: int, found: Said) -> Any:
    """``found`` under what was asked."""
    _, _, start, end, known_at, by = asked
    if isinstance(found, bytes):
        known = "null" if known_at is None else known_at
        text = f'{{"from":"{start}","to":"{end}","known_at":{known},"by":"{by}",'
        return f'{text}"position":{position},"rule":"{RULE}",'.encode() + found[1:]
    head = {"from": f"{start}", "to": f"{end}", "known_at": known_at, "by": by}
    head |= {"position": position, "rule": RULE}
    return {**head, **found}


def day_of(end: date) -> str:
    """The day, as ISO text, of which leads are chosen for a window that ends then."""
    return LAST_DAY if end >= today_in_china() else f"{end}"


def _members_in(event: Any) -> list[str]:
    """The members that an event names."""
    facts = event.facts or {} if event.TOPIC == CORRECTED else vars(event)
    named: list[str] = facts.get("members", [])
    return named


@lru_cache(maxsize=16)
def _seen(limits: tuple[str, ...], proposed: bool) -> Prepared:
    """The version of one lead, if it is within limits of these names."""
    one = leads.c.id == sa.bindparam("id")
    filters = {name: FILTERS[name](leads) for name in limits}
    if proposed and "within" in filters:
        asked = leads.c.transfer_to.like(sa.bindparam("within"))
        filters["within"] = sa.or_(filters["within"], asked)
    wanted = sa.select(leads.c.version).where(one, *filters.values())
    return Prepared(lambda _insert: wanted, [*limits, *NOW, "id"])


def _people(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The members that ``scope`` sees."""
    wanted: list[sa.ColumnElement[bool]] = []
    if scope.district:
        wanted.append(members.c.district.startswith(scope.district))
    if scope.member:
        wanted.append(members.c.id == scope.member)
    return wanted


class Tipping(NamedTuple):
    """Tips of a year; ``done``: only of the members who reported any then, or (False) of those who
    were members then and reported none."""

    year: int
    done: bool | None = None


def _tips_in(year: int, scope: Scope) -> sa.Select[Any]:
    """(member, leads that the member tipped in the year), of leads in the scope's district."""
    seen = [FILTERS[name](leads) for name in Selection(within=scope.district).values()]
    within = leads.c.tip_on.between(f"{year}-01-01", f"{year}-12-31")
    return (
        sa.select(lead_members.c.member_id, sa.func.count().label("tips"))
        .join(leads, leads.c.number == lead_members.c.lead)
        .where(lead_members.c.until == FOREVER, within, *seen)
        .group_by(lead_members.c.member_id)
    )


def _of_whom(tipping: Tipping, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The members that ``tipping`` names."""
    did = members.c.id.in_(
        _tips_in(tipping.year, scope).with_only_columns(lead_members.c.member_id)
    )
    if tipping.done is None:
        return []
    if tipping.done:
        return [did]
    there = members.c.registered_on <= f"{tipping.year}-12-31"
    still = members.c.retired_on.is_(None) | (members.c.retired_on >= f"{tipping.year}-01-01")
    return [sa.not_(did), there, still]


def _one_member(member_id: UUID, scope: Scope) -> sa.Select[Any]:
    return sa.select(members).where(members.c.id == str(member_id), *_people(scope))


def _with_results(connection: sa.Connection, rows: Any, scope: Scope) -> list[dict[str, Any]]:
    """Members' rows with what came of their tips, of leads in the scope's district; a duplicate's
    share counts with its original. Tips are those of the district's book: one stays counted where
    it was given."""
    ids = [row.id for row in rows]
    limits = Selection(within=scope.district).values()
    seen = [FILTERS[name](leads) for name in limits]
    counted = (
        sa.select(
            lead_members.c.member_id,
            lead_members.c.share,
            leads.c.stage,
            leads.c.outcome,
            sa.func.count().label("leads"),
        )
        .join(leads, leads.c.number == lead_members.c.lead)
        .where(lead_members.c.member_id.in_(ids), lead_members.c.until == FOREVER, *seen)
        .group_by(lead_members.c.member_id, lead_members.c.share, leads.c.stage, leads.c.outcome)
    )
    results: dict[str, list[Any]] = {id: [0, 0, Fraction(0)] for id in ids}
    for row in connection.execute(counted, limits):
        result = results[row.member_id]
        result[0] += row.leads
        result[1] += row.leads if row.stage in LANDED else 0
        result[2] += Fraction(row.share) * row.leads if row.outcome != "duplicate" else 0
    if scope.district is not None:
        for member_id, more in tips_across(connection, scope.district, ids).items():
            results[member_id][0] += more
    for member_id, share in connection.execute(_credit_of_joined(ids).where(*seen), limits):
        results[member_id][2] += Fraction(share)
    shown = []
    for row in rows:
        member = {name: getattr(row, name) for name in MEMBER_FIELDS}
        tips, landed, credit = results[row.id]
        shown.append({**member, "tips": tips, "landed": landed, "credit": str(credit)})
    return shown


def _credit_of_joined(ids: list[str]) -> sa.Select[Any]:
    """(member, share) in leads that survive a duplicate which the member reported."""
    joined = joined_members.join(leads, leads.c.number == joined_members.c.lead)
    return (
        sa.select(joined_members.c.member_id, joined_members.c.share)
        .select_from(joined)
        .where(
            joined_members.c.member_id.in_(ids),
            joined_members.c.until == FOREVER,
            leads.c.outcome.is_distinct_from("duplicate"),
        )
    )
