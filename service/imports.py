"""Import of a paper ledger: its rows become the events that happened on their dates.

A file is taken whole or not at all, and every bad cell is named at once. A row is known by its
district, year and 编号, from which the lead's id follows: the same file twice changes nothing.
"""

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID, uuid5

import orjson
from eventsourcing.application import project_aggregate
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.actor import current_actor, now
from domain.aggregate import Recorded
from domain.errors import Invalid, LedgerError, Refused
from domain.lead import Lead
from domain.member import Member
from service.application import Ledger
from service.log import moment_text
from service.paper import HEADINGS, REQUIRED, BadRow, Command, Paper, read_row

_ROWS = UUID("7d4f0a52-2f0e-5c5b-8f3f-3f6f0d2b9a10")


class BadCell(NamedTuple):
    """A cell that cannot be taken: its line in the file, its heading, and why."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


class BadImport(LedgerError):
    """The file cannot be taken; nothing of it was recorded. ``cells`` says all that is wrong."""

    def __init__(self, cells: Iterable[BadCell]) -> None:
        self.cells = list(cells)
        super().__init__("\n".join(map(str, self.cells)))


@dataclass
class Imported:
    """What an import did, or would do: new leads, new members, rows known before, events."""

    leads: int = 0
    members: int = 0
    unchanged: int = 0
    events: int = 0


def import_csv(
    ledger: Ledger,
    path: Path,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _lines: None,
) -> Imported:
    """Take in the ledger at ``path`` for whoever is acting, who must be allowed to waive.

    ``progress`` is called with the number of lines done since it was called last. BadImport
    when anything is wrong; then, and with ``dry_run``, nothing is recorded.
    """
    with path.open(encoding=_encoding(path), newline="") as file, tempfile.TemporaryFile() as spool:
        batch = _Batch(ledger, spool)
        for line, row in _rows(file):
            batch.add(line, row)
            progress(1)
        if batch.bad:
            raise BadImport(sorted(batch.bad))
        if batch.done.events and not dry_run:
            try:
                ledger.record_all(_spooled(spool, current_actor().moment))
            except IntegrityError as why:
                raise Refused(
                    "Some of these rows were recorded by somebody else at the same moment; "
                    "this import recorded nothing. Import the file again."
                ) from why
        return batch.done


def _encoding(path: Path) -> str:
    """UTF-8, with or without BOM, or GB18030; BadImport if the file is neither."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise BadImport([BadCell(1, "file", "It is neither UTF-8 nor GB18030.")])


def _rows(file: IO[str]) -> Iterator[tuple[int, Mapping[str, str] | BadRow]]:
    """Every row that is not empty: the line it begins in, and its cells by heading.

    Cells are without spaces around them; a row with more cells than headings is a BadRow.
    """
    reader = csv.reader(file, strict=True)
    try:
        headings = [heading.strip() for heading in next(reader, [])]
        _check_headings(headings)
        begins = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, _named(headings, cells)
            begins = reader.line_num + 1
    except csv.Error as why:
        raise BadImport([BadCell(reader.line_num, "row", f"It is no CSV: {why}.")]) from None


def _named(headings: list[str], cells: list[str]) -> Mapping[str, str] | BadRow:
    if len(cells) > len(headings):
        return BadRow({"row": f"The row has {len(cells)} cells under {len(headings)} headings."})
    named = dict.fromkeys(HEADINGS, "")
    named.update(zip(headings, (cell.strip() for cell in cells), strict=False))
    return named


def _check_headings(headings: list[str]) -> None:
    bad = [f"The heading {name} is missing." for name in REQUIRED if name not in headings]
    bad += [f"'{name[:40]}' is no heading known here." for name in headings if name not in HEADINGS]
    twice = {name for name in headings if headings.count(name) > 1}
    bad += [f"The heading {name} stands twice." for name in sorted(twice)]
    if bad:
        raise BadImport(BadCell(1, "headings", reason) for reason in bad)


class _Batch:
    """The rows so far: what is wrong with them, and their events, waiting in ``spool``."""

    def __init__(self, ledger: Ledger, spool: IO[bytes]) -> None:
        self._ledger = ledger
        self._spool = spool
        self._lines: dict[UUID, int] = {}
        self._members: dict[UUID, Member] = {}
        self.bad: list[BadCell] = []
        self.done = Imported()

    def add(self, line: int, cells: Mapping[str, str] | BadRow) -> None:
        """Take in one row, or note what is wrong with it."""
        try:
            if isinstance(cells, BadRow):
                raise cells
            self._add(line, cells, read_row(cells))
        except BadRow as why:
            self.bad += [BadCell(line, column, reason) for column, reason in why.cells.items()]

    def _add(self, line: int, cells: Mapping[str, str], paper: Paper) -> None:
        year = paper.tip.facts["occurred_on"][:4]
        lead_id = uuid5(_ROWS, f"{paper.district}/{year}/{paper.number}")
        if lead_id in self._lines:
            first = self._lines[lead_id]
            raise BadRow({"编号": f"{paper.number} of {year} stands in line {first} already."})
        self._lines[lead_id] = line
        digest = sha256(orjson.dumps([cells[name] for name in HEADINGS])).hexdigest()[:16]
        if self._known(lead_id, digest, f"{paper.number} of {year}"):
            self.done.unchanged += 1
            return
        source = {"year": year, "number": paper.number, "row": digest}
        members, new = self._members_of(paper)
        lead = _carry_out(paper, lead_id, members, source)
        for aggregate in (*new, lead):
            self._keep(aggregate)
        self.done.leads += 1

    def _known(self, lead_id: UUID, digest: str, row: str) -> bool:
        """Whether the row was imported before; BadRow when it then said something else."""
        first: Any = next(iter(self._ledger.events.get(lead_id, lte=1)), None)
        if first is not None and first.source["row"] != digest:
            raise BadRow(
                {
                    "编号": f"Row {row} was imported before, with other cells. What changed since "
                    "is entered as a command on its lead."
                }
            )
        return first is not None

    def _members_of(self, paper: Paper) -> tuple[list[Member], list[Member]]:
        """The row's members, and those of them that the ledger did not know."""
        found, new = [], []
        for number in paper.members:
            member_id = Member.create_id(paper.district, number)
            if member_id not in self._members:
                events: list[Any] = list(self._ledger.events.get(member_id))
                if events:
                    known: Any = project_aggregate(None, events)
                    member: Member = known
                else:
                    member = self._register(paper, number)
                    new.append(member)
                self._members[member_id] = member
            found.append(self._members[member_id])
        return found, new

    def _register(self, paper: Paper, number: str) -> Member:
        """A member that only the paper knows: its number is its name until somebody says more."""
        try:
            member = Member.register(
                number=number,
                name=number,
                sector=paper.sector,
                district=paper.district,
                occurred_on=paper.tip.facts["occurred_on"],
            )
        except Invalid as why:
            raise BadRow(_cells(why, paper.tip)) from None
        self.done.members += 1
        return member

    def _keep(self, aggregate: Recorded) -> None:
        for event in aggregate.collect_events():
            stored = self._ledger.mapper.to_stored_event(event)
            line = [
                str(stored.originator_id),
                stored.originator_version,
                stored.topic,
                stored.state.decode(),
            ]
            self._spool.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self.done.events += 1


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
        raise BadRow({command.columns["occurred_on"]: str(why)}) from None
    return lead


def _cells(why: Invalid, command: Command) -> dict[str, str]:
    """The fields at fault as the headings they came from."""
    return {
        command.columns.get(name, command.columns["occurred_on"]): " ".join(reasons)
        for name, reasons in why.errors.items()
    }


def _spooled(spool: IO[bytes], imported_at: datetime) -> Iterator[StoredEvent]:
    """The events, recorded at one moment: that of the first one being asked for.

    That is when the log is held for writing, so that no number asked for while the file was
    still being read changes when it is asked for again as known at that moment.
    """
    stamped = moment_text(now())
    spool.seek(0)
    for line in spool:
        originator_id, version, topic, state = orjson.loads(line)
        state = state.replace(moment_text(imported_at), stamped, 1)
        yield StoredEvent(UUID(originator_id), version, topic, state.encode())
