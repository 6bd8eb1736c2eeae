"""Import of a paper ledger: its rows become the events that happened on their dates.

A file is taken whole or not at all, and every bad cell is named at once. A row is known by its
district, year and 编号, from which the lead's id follows, or by the id itself where an export wrote
it: the same file twice changes nothing, and a row that changed becomes the events that explain the
difference (`changed.py`).
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid5

import orjson
from eventsourcing.application import project_aggregate
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.actor import current_actor, now, today
from domain.aggregate import Recorded
from domain.correction import effective
from domain.errors import Forbidden, Invalid, NotFound, Refused
from domain.lead import Lead
from domain.member import Member
from domain.sentences import Sentence, together
from service.alike import Alike, Newcomers
from service.application import Ledger
from service.changed import carry_over, go_along, last_row
from service.columns import EXAMPLE, HEADINGS, IDENTITY, LATER, PAST_DAYS
from service.log import moment_text
from service.paper import as_meant, member_of, read_row
from service.rows import BadRow, Command, Paper
from service.scope import ALL, Scope
from service.sheets import BadCell, BadSheet, Row, rows_of, source_of
from service.written import code

# Of a file that is none of ours every cell may be bad.
MOST_BAD = 5_000
# An event on its way into the log: id and version of its lead or member, topic, state.
Line = tuple[str, int, str, str]
DISTRICT = "区划代码"
_ROWS = UUID("7d4f0a52-2f0e-5c5b-8f3f-3f6f0d2b9a10")


class BadImport(Invalid):
    """The file cannot be taken; nothing of it was recorded. ``cells`` says all that is wrong."""

    def __init__(self, cells: Iterable[BadCell]) -> None:
        self.cells = list(cells)
        # Where a marked copy of the file is, if there is one.
        self.marked: str | None = None
        errors: dict[str, list[str]] = {}
        for cell in self.cells:
            errors.setdefault(cell.place, []).append(cell.reason)
        super().__init__(errors)

    def __str__(self) -> str:
        return "\n".join(map(str, self.cells))


@dataclass
class Imported:
    """What an import did, or would do: new leads, new members, rows that say nothing new, events,
    rows that changed their leads; the headings that are none of a ledger's, left out; and which of
    the new leads may be the same as another."""

    leads: int = 0
    members: int = 0
    unchanged: int = 0
    events: int = 0
    changed: int = 0
    extra: set[str] = field(default_factory=set)
    # No part of what was done, so two imports that did the same are equal without it.
    similar: Alike = field(default_factory=Alike, compare=False)


def import_paper(
    ledger: Ledger,
    path: Path,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _lines: None,
    scope: Scope = ALL,
    expected: Mapping[str, int] | None = None,
) -> Imported:
    """Take in the ledger at ``path`` for whoever is acting, who must be allowed to waive.

    ``expected``: what a dry run told that it would do, by name; Otherwise if it would do anything
    else now.

    ``scope``: a row of another district, or one that names a lead or member outside, is bad.
    ``progress`` is called with the number of lines done since it was called last. BadImport
    when anything is wrong; then, and with ``dry_run``, nothing is recorded.
    """
    with tempfile.TemporaryFile() as spool:
        batch = _Batch(ledger, spool, scope)
        batch.read(path, progress)
        if batch.bad:
            raise BadImport(sorted(batch.bad, key=_in_order))
        if expected is not None:
            _check_as_expected(batch.done, expected)
        if batch.done.leads:
            ledger.reads.position()
            batch.done.similar = batch.new.alike(ledger.similar.within(scope))
        if batch.done.events and not dry_run:
            try:
                ledger.record_all(batch.stored(current_actor().moment))
            except IntegrityError as why:
                raise Overtaken(
                    "Some of these rows were recorded by somebody else at the same moment; "
                    "this import recorded nothing. Import the file again."
                ) from why
        return batch.done


class Overtaken(Refused):
    """Another recorded some of the same rows first; the file can be imported again."""


class Otherwise(Refused):
    """The file would not do now what it would have done when it was checked."""


# What a check tells that an import would do, and an import is held against.
COUNTS = ("leads", "members", "unchanged", "events", "changed")


def _check_as_expected(done: Imported, expected: Mapping[str, int]) -> None:
    other = [
        Sentence(
            "{count} {now}, not {told}", count=name, now=getattr(done, name), told=expected[name]
        )
        for name in COUNTS
        if getattr(done, name) != expected[name]
    ]
    if other:
        raise Otherwise(
            "The ledger has gone on since the file was checked, which would do "
            "something else now ({other}); nothing was recorded. Check it again.",
            other=other,
        )


class _Batch:
    """The rows so far: what is wrong with them, and their events, waiting in ``spool``."""

    def __init__(self, ledger: Ledger, spool: IO[bytes], scope: Scope) -> None:
        self._ledger = ledger
        self._spool = spool
        self._scope = scope
        # Where each row stands that was read so far.
        self._places: dict[UUID, tuple[str | None, int]] = {}
        self._members: dict[UUID, Member] = {}
        # District → the numbers of its members that were there before, by how a paper tells them.
        self._known_as: dict[str, dict[str, str]] = {}
        # Facts of the members that only the paper knows: a later row may say more of them.
        self._joining: dict[UUID, dict[str, Any]] = {}
        self.new = Newcomers()
        self.bad: list[BadCell] = []
        self.done = Imported()

    def read(self, path: Path, progress: Callable[[int], object]) -> None:
        """Take in the rows of the file at ``path``, or note what is wrong with it."""
        try:
            for row in rows_of(source_of(path), self.done.extra):
                self.add(row)
                progress(1)
                if len(self.bad) >= MOST_BAD:
                    more = Sentence(
                        "{count} faults are told, and it was read no further.", count=MOST_BAD
                    )
                    self.bad.append(row.bad("row", more))
                    return
        except BadSheet as why:
            self.bad += why.cells

    def add(self, row: Row) -> None:
        """Take in one row, or note what is wrong with it."""
        cells = as_meant(row.cells)
        if cells["编号"] == EXAMPLE:
            return
        try:
            if row.fault:
                raise BadRow({"row": row.fault})
            self._add(row, cells, _readable(row, cells))
        except BadRow as why:
            self.bad += [row.bad(column, reason) for column, reason in why.cells.items()]

    def _add(self, row: Row, cells: Mapping[str, str], paper: Paper) -> None:
        self._check_district(paper)
        lead_id, identity = self._placed(row, paper)
        digests = [_digest(cells), _digest(row.cells)]
        known = self._known(lead_id, identity, paper)
        if known and identity:
            _check_is(known, paper)
        if known and last_row(known) in digests:
            self.done.unchanged += 1
            return
        members = self._members_of(paper, known)
        self._check_sector(members[0], paper)
        if known:
            lead = _changed(known, members, paper, digests[0], _where(row.sheet, row.line))
            changed = bool(lead.pending_events)
            self.done.changed += changed
            self.done.unchanged += not changed
        else:
            year = paper.tip.facts["occurred_on"][:4]
            source = {"year": year, "number": paper.number, "row": digests[0]}
            lead = _carry_out(paper, lead_id, members, source)
            self.done.leads += 1
            self.new.add(lead, _where(row.sheet, row.line))
        self._keep(lead)

    def _placed(self, row: Row, paper: Paper) -> tuple[UUID, str]:
        """The id of the row's lead, and what the row itself says of it; BadRow for a lead that has
        a row already."""
        identity, year = row.cells.get(IDENTITY, ""), paper.tip.facts["occurred_on"][:4]
        if identity:
            lead_id, column, named = _lead_named(identity), IDENTITY, identity
        else:
            lead_id = uuid5(_ROWS, f"{paper.district}/{year}/{paper.number}")
            column, named = "编号", Sentence("{number} of {year}", number=paper.number, year=year)
        if lead_id in self._places:
            raise BadRow(
                {
                    column: Sentence(
                        "{named} stands in {where} already.",
                        named=named,
                        where=_where(*self._places[lead_id]),
                    )
                }
            )
        self._places[lead_id] = row.sheet, row.line
        return lead_id, identity

    def _check_district(self, paper: Paper) -> None:
        try:
            self._scope.check_district(paper.district)
        except Forbidden as why:
            raise BadRow({DISTRICT: why.sentence}) from None
        try:
            # That a transfer was accepted is for the district to say that accepted it.
            for step in paper.steps:
                if step.method == "transfer":
                    self._scope.check_answers(step.facts["district"])
        except Forbidden as why:
            raise BadRow({"历程": why.sentence}) from None

    def _known(self, lead_id: UUID, identity: str, paper: Paper) -> list[Any]:
        """The events of the row's lead, none if it is new; BadRow for one outside of scope.

        Whoever is limited makes no lead of an id that a row names: it would be told of the others.
        """
        known: list[Any] = list(self._ledger.events.get(lead_id))
        if self._scope == ALL or not (known or identity):
            return known
        try:
            self._ledger.reads.lead_seen(lead_id, self._scope)
        except NotFound as why:
            if identity:
                raise BadRow({IDENTITY: why.sentence}) from None
            raise BadRow(
                {
                    "编号": Sentence(
                        "{number} of {year} is in another district now, outside of {district}.",
                        number=paper.number,
                        year=paper.tip.facts["occurred_on"][:4],
                        district=self._scope.district,
                    )
                }
            ) from None
        return known

    def _members_of(self, paper: Paper, known: list[Any]) -> list[Member]:
        """The row's members, in the order of first report; BadRow for one outside of scope that
        is not among the lead's already."""
        found = []
        named_already = effective(known)[0].members if known else ()
        for named in paper.members:
            number, district = member_of(named, paper.district)
            member_id = self._id_of(district, number)
            if str(member_id) not in named_already:
                self._check_member(named, district)
            if member_id not in self._members:
                events: list[Any] = list(self._ledger.events.get(member_id))
                if events:
                    told: Any = project_aggregate(None, events)
                    member: Member = told
                else:
                    member = self._register(paper, number, district)
                self._members[member_id] = member
            found.append(self._members[member_id])
        return found

    def _id_of(self, district: str, number: str) -> UUID:
        """The id of the member with that number; or of the one whose number is read so in a paper,
        of which small letters and spaces tell nothing."""
        if district not in self._known_as:
            numbers = self._ledger.reads.member_numbers(district)
            # Whose number is just that comes before others of which it is told.
            numbers.sort(key=lambda one: code(one) == one)
            self._known_as[district] = {code(one): one for one in numbers}
        return Member.create_id(district, self._known_as[district].get(number, number))

    def _check_member(self, named: str, district: str) -> None:
        try:
            self._scope.check_district(district)
        except Forbidden as why:
            raise BadRow(
                {"提供委员": Sentence("{member}: {fault}", member=named, fault=why.sentence)}
            ) from None

    def _register(self, paper: Paper, number: str, district: str) -> Member:
        """A member that only the paper knows: its number is its name until somebody says more."""
        facts = {
            "number": number,
            "name": number,
            "sector": None,
            "district": district,
            "occurred_on": paper.tip.facts["occurred_on"],
        }
        try:
            member = Member.register(**facts)
        except Invalid as why:
            raise BadRow(_cells(why, paper.tip)) from None
        self._joining[member.id] = facts
        self.done.members += 1
        self.done.events += 1
        return member

    def _check_sector(self, first: Member, paper: Paper) -> None:
        """The sector (界别) of a row is its first member's. BadRow where another was said of it: no
        paper changes what is known of a member."""
        facts = self._joining.get(first.id)
        known = facts["sector"] if facts else first.sector
        if facts and known is None:
            facts["sector"] = paper.sector
        elif paper.sector not in (None, known):
            where = Sentence("above") if facts else Sentence("in the ledger")
            fault = Sentence(
                "That of {number} is {known} {where}.",
                number=first.number,
                known=known,
                where=where,
            )
            if not known:
                fault = Sentence(
                    "That of {number} is not known {where}, and no paper tells it now.",
                    number=first.number,
                    where=where,
                )
            raise BadRow({"委员界别": fault})

    def stored(self, imported_at: datetime) -> Iterator[StoredEvent]:
        """The events, members' first, recorded at one moment: that of the first being asked for.

        That is when the log is held for writing, so that no number asked for while the file was
        still being read changes when it is asked for again as known at that moment.
        """
        stamped = moment_text(now())
        for joined in self._joined():
            yield _stamped(joined, imported_at, stamped)
        self._spool.seek(0)
        for line in self._spool:
            yield _stamped(orjson.loads(line), imported_at, stamped)

    def _joined(self) -> Iterator[Line]:
        for facts in self._joining.values():
            yield from self._lines(Member.register(**facts))

    def _keep(self, lead: Lead) -> None:
        for line in self._lines(lead):
            self._spool.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self.done.events += 1

    def _lines(self, aggregate: Recorded) -> Iterator[Line]:
        for event in aggregate.collect_events():
            stored = self._ledger.mapper.to_stored_event(event)
            yield (
                str(stored.originator_id),
                stored.originator_version,
                stored.topic,
                stored.state.decode(),
            )


def _lead_named(identity: str) -> UUID:
    """The id of the lead that a row of an export names."""
    try:
        return UUID(identity)
    except ValueError:
        raise BadRow(
            {IDENTITY: Sentence("'{identity}' is no id of a lead.", identity=identity[:40])}
        ) from None


def _check_is(known: Sequence[Any], paper: Paper) -> None:
    """BadRow if the lead that a row names, of these events, is not the one it tells of."""
    if known[0].TOPIC != "lead.tipped":
        raise BadRow({IDENTITY: Sentence("It names no lead.")})
    # Where it was tipped: as it was recorded, or as it was put right since.
    tipped = {known[0].district, (district := effective(known)[0].district)}
    if paper.district not in tipped:
        raise BadRow(
            {
                IDENTITY: Sentence(
                    "It names a lead of {district}, and the row is of another.", district=district
                )
            }
        )
    source = known[0].source
    if source and source["number"] != paper.number:
        was = Sentence("{number} of {year}", number=source["number"], year=source["year"])
        raise BadRow(
            {
                "编号": Sentence(
                    "{identity} names the lead that the paper has as {was}.",
                    identity=IDENTITY,
                    was=was,
                )
            }
        )


def _readable(row: Row, cells: Mapping[str, str]) -> Paper:
    """What the row says; BadRow names every cell that cannot be read."""
    to_come = _to_come(cells)
    try:
        paper = read_row(cells)
    except BadRow as why:
        raise BadRow({**to_come, **why.cells, **row.faults}) from None
    if to_come or row.faults:
        raise BadRow({**to_come, **row.faults})
    return paper


def _to_come(cells: Mapping[str, str]) -> dict[str, str]:
    """Each day that is in the future, where nothing is but a signing that is expected."""
    day = today()
    return {
        name: Sentence(
            "{day} is in the future; today is {today} in China.", day=cells[name], today=day
        )
        for name in PAST_DAYS
        if cells[name] > day
    }


def _carry_out(
    paper: Paper, lead_id: UUID, members: list[Member], source: Mapping[str, str]
) -> Lead:
    """The row's lead, with everything that happened to it; BadRow names the cell at fault."""
    command = paper.tip
    try:
        for member in members:
            member.may_tip(command.facts["occurred_on"])
        ids = [str(member.id) for member in members]
        lead = Lead.tip(id=lead_id, members=ids, source=source, **command.facts)
        for command in paper.steps:
            getattr(lead, command.method)(**command.facts)
    except Invalid as why:
        raise BadRow(_cells(why, command)) from None
    except Refused as why:
        raise BadRow({command.columns["occurred_on"]: why.sentence}) from None
    return lead


def _changed(
    known: list[Any], members: list[Member], paper: Paper, digest: str, where: str
) -> Lead:
    """The lead of a row that says something else than when it was imported last; BadRow."""
    told: Any = project_aggregate(None, known)
    lead: Lead = told
    ids = [str(member.id) for member in members]
    tip = paper.tip._replace(facts={**paper.tip.facts, "members": ids})
    where = f"{where}（导入 {current_actor().request}）"
    if paper.course is None:
        want = {command.method: command for command in (tip, *paper.steps)}
        carry_over(lead, want, digest, where)
    else:
        go_along(lead, tip, (paper.course, paper.steps), digest, where)
    try:
        for member in members:
            if str(member.id) not in known[0].members:
                member.may_tip(tip.facts["occurred_on"])
    except Invalid as why:
        raise BadRow(_cells(why, tip)) from None
    return lead


def _where(sheet: str | None, line: int) -> str:
    return Sentence("line {line}", line=line) if sheet is None else f"{sheet}!{line}"


def _in_order(bad: BadCell) -> tuple[Any, ...]:
    """By row, and from left to right: Z stands before AA."""
    letters = bad.letters or ""
    return (bad.sheet or "", bad.line, len(letters), letters, bad.column, bad.reason)


def _digest(cells: Mapping[str, str]) -> str:
    return sha256(
        orjson.dumps([cells[name] for name in HEADINGS if cells[name] or name not in LATER])
    ).hexdigest()[:16]


def _cells(why: Invalid, command: Command) -> dict[str, str]:
    """The fields at fault as the headings they came from."""
    return {
        command.columns.get(name, command.columns["occurred_on"]): together(reasons)
        for name, reasons in why.errors.items()
    }


def _stamped(line: Sequence[Any], imported_at: datetime, stamped: str) -> StoredEvent:
    originator_id, version, topic, state = line
    state = state.replace(moment_text(imported_at), stamped, 1)
    return StoredEvent(UUID(originator_id), version, topic, state.encode())
