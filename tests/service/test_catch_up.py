"""Projections: never wrong, never old, whatever is killed, refused or new."""

import os
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from eventsourcing.persistence import StoredEvent

from domain.errors import NotReady
from service.application import Ledger
from service.projections.catch_up import CatchUp
from service.projections.choosing import Selection
from service.projections.entries import Entries
from service.projections.feed import BATCH, ProjectionStopped
from service.projections.lead_list import Question
from service.projections.leads import Leads
from service.projections.store import Projection, bookmarks
from service.reads import projections
from service.scope import Scope
from tests.service.helpers import (
    CONTEXT,
    PATIENCE,
    a_lead,
    check_projections,
    contents,
    follow,
    journeys,
    ledger_in,
    processes,
    raw,
    register,
    result_of,
    settings_in,
    started,
    stored_leads,
    tip,
    whole_log,
)

DAY = (date(2025, 1, 1), date(2025, 12, 31))


def catch_up_with(ledger: Ledger, projections: Sequence[Projection]) -> CatchUp:
    """A catch-up of ``projections`` into the ledger's own store."""
    return CatchUp(ledger.log_recorder, ledger.mapper, ledger.reads.store, projections)


def fill(ledger: Ledger, leads: int = 300, follow_ups: int = 2) -> UUID:
    """A log of several batches; the member that reported it all."""
    member = register(ledger, "filler").subject
    ledger.record_all(stored_leads(ledger, member, leads, follow_ups))
    return member


# A rebuild gives the same rows


def test_rows_taken_in_one_by_one_equal_those_of_a_rebuild(tmp_path: Path) -> None:
    with ledger_in(tmp_path / "first") as first, ledger_in(tmp_path / "second") as second:
        journeys(first)
        log = whole_log(first)
        for event in log:
            second.record_all([event])
            assert second.reads.position() == event.id
        one_by_one = contents(second)
        first.reads.position()
        assert contents(first) == one_by_one
        check_projections(second)
        assert {position for _, position, _ in one_by_one["bookmarks"]} == {len(log)}
        assert all(one_by_one.values()), "a table that nothing was written to shows nothing"


@pytest.mark.parametrize("cut", range(1, 25, 3))
def test_rows_do_not_depend_on_where_the_batches_end(tmp_path: Path, cut: int) -> None:
    with ledger_in(tmp_path / "first") as first, ledger_in(tmp_path / "second") as second:
        journeys(first)
        log = whole_log(first)
        for part in (log[:cut], log[cut:]):
            second.record_all(part)
            second.reads.position()
        assert second.reads.whole_book_balances()
        check_projections(second)


class Hasty(Entries):
    """Writes what it has gathered for a rebuild with almost every batch."""

    most_gathered = 1


def test_totals_do_not_depend_on_how_many_a_rebuild_gathers(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger, 1800)
        journeys(ledger)
        assert len(whole_log(ledger)) > BATCH, "one batch only"
        ledger.reads.position()
        before = contents(ledger)
        for entries in (Hasty(), Entries()):
            ours = [entries if isinstance(p, Entries) else p for p in projections()]
            catch_up_with(ledger, ours).rebuild()
            assert contents(ledger) == before


class Remembering(Leads):
    """Remembers so many members for a rebuild, and is asked for them."""

    def __init__(self, most: int = Leads.most_people) -> None:
        super().__init__()
        self.most_people = most
        self.anew: Leads | None = None

    def gathering(self) -> Leads:
        """One that remembers as many."""
        self.anew = super().gathering()
        self.anew.most_people = self.most_people
        return self.anew

    @property
    def remembered(self) -> int:
        """How many members the last rebuild remembered in the end."""
        assert self.anew is not None
        assert self.anew._people is not None
        return len(self.anew._people)


def test_leads_do_not_depend_on_how_many_members_a_rebuild_remembers(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        fill(ledger, 1800)
        ledger.reads.position()
        before = contents(ledger)
        found = [Remembering(), Remembering(1)]
        for leads in found:
            ours = [leads if isinstance(p, Leads) else p for p in projections()]
            catch_up_with(ledger, ours).rebuild()
            assert contents(ledger) == before
        every, one = (leads.remembered for leads in found)
        assert every > one == 1


def test_an_empty_log_is_answered_and_rebuilt(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert ledger.reads.position() == 0
        assert ledger.reads.catch_up.rebuild() == 0
        assert ledger.reads.whole_book_balances()
        pipeline = ledger.reads.pipeline(Selection(), *DAY, None)
        assert (pipeline["tips"], pipeline["balanced"], pipeline["position"]) == (0, True, 0)


def test_status_tells_how_far_each_projection_is(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        names = [projection.name for projection in projections()]
        assert ledger.reads.catch_up.status() == dict.fromkeys(names, 0)
        a_lead(ledger)
        ledger.reads.position()
        assert ledger.reads.catch_up.status() == dict.fromkeys(names, 2)


# Rows and bookmark in one transaction


class Killer:
    """A projection that has its process killed within the transaction of some batch."""

    name = "killer"
    tables: Sequence[sa.Table] = ()

    def __init__(self, batch: int) -> None:
        self._left = batch

    def project(self, connection: sa.Connection, batch: Sequence[Any]) -> None:
        """Count the batches down."""
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def die_in_catch_up(folder: Path, batch: int, place: int) -> None:
    """Catch up until the killer, at ``place`` among the projections, has its batch."""
    with ledger_in(folder) as ledger:
        with_killer = projections()
        with_killer.insert(place, Killer(batch))
        catch_up_with(ledger, with_killer).to(len(whole_log(ledger)))


@pytest.mark.parametrize(("batch", "place"), [(1, 0), (1, 2), (1, 4), (2, 1), (2, 4)])
def test_a_kill_during_catch_up_leaves_rows_and_bookmark_of_one_moment(
    tmp_path: Path, batch: int, place: int
) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger, 400, 5)
        assert len(whole_log(ledger)) > BATCH, "one batch only"
    process, pipe = started(die_in_catch_up, tmp_path, batch, place)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    pipe.close()
    with ledger_in(tmp_path) as ledger:
        reached = ledger.reads.catch_up.status()
        assert set(reached.values()) == {(batch - 1) * BATCH}
        with ledger.reads.store.reading() as connection:
            newest = sa.text("SELECT coalesce(max(position), 0) FROM leads")
            assert connection.execute(newest).scalar_one() == (batch - 1) * BATCH
        check_own_rows(ledger)


def die_in_a_rebuild(folder: Path) -> None:
    """Die after a batch of a rebuild."""
    with ledger_in(folder) as ledger:
        ledger.reads.catch_up.rebuild(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_kill_during_a_rebuild_leaves_the_old_rows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        ledger.reads.position()
        old = contents(ledger)
    process, pipe = started(die_in_a_rebuild, tmp_path)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    pipe.close()
    with ledger_in(tmp_path) as ledger:
        assert contents(ledger) == old
        check_projections(ledger)


def read_with_a_full_disk(folder: Path, lead: UUID) -> list[Any]:
    """Read a lead while files cannot grow, and again when they can: versions or refusals."""
    with ledger_in(folder) as ledger:
        seen: list[Any] = [ledger.reads.lead(lead).version]
        follow(ledger, lead)
        wal = folder / "ledger.sqlite.projections-wal"
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
        for _ in range(2):
            try:
                seen.append(ledger.reads.lead(lead).version)
            except NotReady:
                seen.append("not ready")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        seen.append(ledger.reads.lead(lead).version)
        return seen


@pytest.mark.sqlite_alone("the size of a file")
def test_a_catch_up_whose_commit_fails_serves_no_older_version(tmp_path: Path) -> None:
    """A disk that fills up just when the rows are committed: refuse, and catch up afterwards."""
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
    seen = result_of(*started(read_with_a_full_disk, tmp_path, lead))
    assert seen == [1, "not ready", "not ready", 2]
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


# An event that cannot be taken in

QUESTIONS: dict[str, Callable[[Ledger, UUID], object]] = {
    "lead": lambda ledger, lead: ledger.reads.lead(lead),
    "lead_at": lambda ledger, lead: ledger.reads.lead_at(lead, version=1),
    "leads": lambda ledger, _: ledger.reads.leads(Question()),
    "history": lambda ledger, lead: ledger.reads.history(lead),
    "members": lambda ledger, _: ledger.reads.members(0, 10, None, None),
    "pipeline": lambda ledger, _: ledger.reads.pipeline(Selection(), *DAY, None),
    "movements": lambda ledger, _: ledger.reads.movements(Selection(), *DAY, None),
    "series": lambda ledger, _: ledger.reads.series(Selection(), *DAY, None, "month"),
    "times": lambda ledger, _: ledger.reads.times(Selection(), *DAY),
    "balance": lambda ledger, _: ledger.reads.whole_book_balances(),
    "lead_seen": lambda ledger, lead: ledger.reads.lead_seen(lead, Scope("32")),
    "member_seen": lambda ledger, _: ledger.reads.member_seen(
        UUID(str(whole_log(ledger)[0].originator_id)), Scope("32")
    ),
}
STAMP = '{"timestamp":"2025-01-01T00:00:00Z","actor":"a","request":"r","note":null,'
UNREADABLE = [
    ("lead.followed_up", "{"),
    ("lead.unheard_of", STAMP + '"occurred_on":"2025-05-01"}'),
    ("lead.followed_up", STAMP + '"class_version":2,"occurred_on":"2025-05-01"}'),
    # Readable, but not for the projections: facts are absent.
    ("lead.signed", STAMP + '"occurred_on":"2025-05-01"}'),
    ("lead.followed_up", STAMP + '"form":"visit"}'),
]


@pytest.mark.sqlite_alone("the event is mended in the file")
@pytest.mark.parametrize(("topic", "state"), UNREADABLE)
def test_an_event_that_cannot_be_taken_in_is_named_and_no_older_number_is_served(
    tmp_path: Path, topic: str, state: str
) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        lead = a_lead(ledger)
        for ask in QUESTIONS.values():
            ask(ledger, lead)
        reached = ledger.reads.catch_up.status()
        before = contents(ledger)
        # It stands in the middle of what is to be taken in.
        tip(ledger, UUID(str(whole_log(ledger)[0].originator_id)))
        ledger.record_all([StoredEvent(lead, 2, topic, state.encode())])
        a_lead(ledger)
        named = rf"stopped at position 4, event 2 of {lead} \({topic}\)"
        for reader in (ledger, other):
            for ask in [*QUESTIONS.values(), *QUESTIONS.values()]:
                with pytest.raises(ProjectionStopped, match=named):
                    ask(reader, lead)
        assert ledger.reads.catch_up.status() == reached
        assert contents(ledger) == before
        with pytest.raises(ProjectionStopped, match=named):
            ledger.reads.catch_up.rebuild()
        assert contents(ledger) == before, "a rebuild that fails leaves the old rows"
        mend(ledger, lead)
        for reader in (other, ledger):
            for ask in QUESTIONS.values():
                ask(reader, lead)
        check_projections(ledger)


def mend(ledger: Ledger, lead: UUID) -> None:
    """Put an event that can be read in the place of the one that cannot."""
    good = STAMP + (
        '"occurred_on":"2025-05-01","form":"visit","result":"x","reason":null,"next_on":null}'
    )
    connection = raw(ledger.settings.database)
    connection.execute(
        "UPDATE stored_events SET topic = 'lead.followed_up', state = ? "
        "WHERE originator_id = ? AND originator_version = 2",
        (good.encode(), lead.hex),
    )
    connection.close()


def test_an_event_of_a_lead_that_never_began_stops_the_projections(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        state = STAMP + '"occurred_on":"2025-05-01","form":"call","result":"x"}'
        ledger.record_all([StoredEvent(uuid4(), 2, "lead.followed_up", state.encode())])
        with pytest.raises(ProjectionStopped, match="stopped at position 3"):
            ledger.reads.position()


# A new projection

NEW = sa.MetaData()
seen_positions = sa.Table(
    "seen_positions",
    NEW,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
)


class Seen:
    """Writes down every event that it is given."""

    name = "seen"
    tables: Sequence[sa.Table] = (seen_positions,)

    def project(self, connection: sa.Connection, batch: Sequence[Any]) -> None:
        """A position that comes twice breaks the primary key."""
        rows = [{"position": position, "topic": event.TOPIC} for position, _, event, _ in batch]
        connection.execute(sa.insert(seen_positions), rows)


def test_a_new_projection_catches_up_alone_while_the_others_are_ahead(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger, 400, 5)
        ledger.reads.position()
        follow(ledger, a_lead(ledger))
        # The others are ahead, and have not seen the last three.
        before = {name: rows for name, rows in contents(ledger).items() if name != "bookmarks"}
        ahead = len(whole_log(ledger)) - 3
        assert set(ledger.reads.catch_up.status().values()) == {ahead}
        with ledger.reads.store.writing() as connection:
            NEW.create_all(connection)
        grown = catch_up_with(ledger, [*projections(), Seen()])
        assert grown.status()["seen"] == 0
        grown.to(1)
        partly = grown.status()
        assert partly["seen"] == BATCH and partly["leads"] == ahead
        now = {name: rows for name, rows in contents(ledger).items() if name != "bookmarks"}
        assert now == before, "the others were not touched"
        grown.to(ahead + 3)
        assert set(grown.status().values()) == {ahead + 3}
        with ledger.reads.store.reading() as connection:
            seen = [tuple(row) for row in connection.execute(sa.select(seen_positions))]
        assert seen == [(event.id, event.topic) for event in whole_log(ledger)]
        check_own_rows(ledger)


def check_own_rows(ledger: Ledger) -> None:
    """As `check_projections`, without the bookmark of a projection that is none of the ledger's."""
    names = [projection.name for projection in projections()]
    with ledger.reads.store.writing() as connection:
        connection.execute(sa.delete(bookmarks).where(bookmarks.c.projection.not_in(names)))
    check_projections(ledger)


def test_one_of_the_ledgers_own_made_anew_ends_with_the_same_rows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        fill(ledger)
        ledger.reads.position()
        before = contents(ledger)
    for projection in projections():
        with ledger_in(tmp_path) as ledger:
            with ledger.reads.store.writing() as connection:
                for table in projection.tables:
                    connection.execute(sa.delete(table))
                connection.execute(
                    sa.delete(bookmarks).where(bookmarks.c.projection == projection.name)
                )
            assert ledger.reads.catch_up.status()[projection.name] == 0
            ledger.reads.position()
            assert contents(ledger) == before, projection.name


# Readers during a rebuild


def test_readers_see_the_old_rows_until_a_rebuild_commits(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path, lock_timeout=0.1) as other:
        lead = a_lead(ledger)
        fill(ledger)
        assert ledger.reads.lead(lead).version == other.reads.lead(lead).version == 1
        old = contents(other)
        steps = []

        def look(events: int) -> None:
            steps.append(events)
            assert contents(other) == old
            assert contents(ledger) == old
            assert other.reads.lead(lead).version == 1
            assert ledger.reads.pipeline(Selection(), *DAY, None)["tips"] == 301

        assert ledger.reads.catch_up.rebuild(look) == len(whole_log(ledger))
        assert sum(steps) == len(whole_log(ledger))
        assert contents(other) == old


def test_a_worker_that_starts_during_a_rebuild_answers_from_the_old_rows(tmp_path: Path) -> None:
    """They are whole and of the log's last position: there is nothing to wait for."""
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        assert ledger.reads.lead(lead).version == 1
        answers: list[object] = []

        def look(_events: int) -> None:
            with_its_own = Ledger(settings_in(tmp_path, lock_timeout=0.1))
            try:
                answers.append(with_its_own.reads.lead(lead).version)
            except NotReady as why:
                answers.append(str(why))
            finally:
                with_its_own.close()

        ledger.reads.catch_up.rebuild(look)
        assert answers == [1]


def test_readers_in_threads_see_whole_rows_only_while_it_is_rebuilt(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        fill(ledger)
        ledger.reads.position()
        old = contents(other)
        done, wrong = Event(), []

        def look() -> None:
            while not done.is_set():
                if contents(other) != old:
                    wrong.append(contents(other))

        reader = Thread(target=look)
        reader.start()
        for _ in range(3):
            ledger.reads.catch_up.rebuild()
        done.set()
        reader.join()
        assert not wrong


# Reads reflect what was answered before

COMMANDS = 25


def write_and_read(barrier: Any, folder: Path, number: int, leads: list[UUID]) -> int:
    """After each command read back what it did; how many commands were carried out."""
    with ledger_in(folder, lock_timeout=30) as ledger:
        barrier.wait()
        for turn in range(COMMANDS):
            lead = leads[(turn + number) % len(leads)]
            answer = follow(ledger, lead, f"{number}/{turn}")
            assert ledger.reads.lead(lead).version >= answer.version
            told = {event["facts"].get("result") for event in ledger.reads.history(lead)}
            assert f"{number}/{turn}" in told
            tipped = tip(ledger, UUID(answer.body["members"][0]["id"]))
            assert ledger.reads.lead(tipped.subject).version == 1
    return COMMANDS


def test_processes_that_read_after_writing_always_see_it_and_the_rows_stay_right(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        leads = [a_lead(ledger) for _ in range(3)]
        done = processes(write_and_read, *[(tmp_path, number, leads) for number in range(4)])
        assert sum(done) == 4 * COMMANDS
        versions = [ledger.reads.lead(lead).version for lead in leads]
        assert sum(versions) == 3 + 4 * COMMANDS
        assert ledger.reads.pipeline(Selection(), *DAY, None)["tips"] == 3 + 4 * COMMANDS
        check_projections(ledger)


def read_when_told(folder: Path, lead: UUID, pipe: Any) -> None:
    """Read the lead's version whenever asked."""
    with ledger_in(folder) as ledger:
        while pipe.recv():
            pipe.send(ledger.reads.lead(lead).version)


def test_a_read_elsewhere_reflects_every_command_answered_before_it_began(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        mine, theirs = CONTEXT.Pipe()
        reader = CONTEXT.Process(target=read_when_told, args=(tmp_path, lead, theirs))
        reader.start()
        theirs.close()
        for _ in range(100):
            version = follow(ledger, lead).version
            mine.send(True)
            assert mine.poll(PATIENCE)
            assert mine.recv() == version
        mine.send(False)
        reader.join()
        reader.close()
        mine.close()


# "Notification ids are no proof of completeness: … SQLite's rowid is reused … and renumbered"


@pytest.mark.sqlite_alone("a copy of the file")
def test_a_log_restored_from_an_older_copy_is_not_answered_from_newer_rows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        copy, source = raw(tmp_path / "copy"), raw(ledger.settings.database)
        source.backup(copy)
        copy.close()
        source.close()
        follow(ledger, lead, "丢了的")
        assert ledger.reads.lead(lead).version == 2
        database = ledger.settings.database
    (tmp_path / "copy").rename(database)
    for left in ("-wal", "-shm"):
        database.with_name(database.name + left).unlink(missing_ok=True)
    with ledger_in(tmp_path) as ledger:
        assert len(whole_log(ledger)) == 2
        try:
            versions = [ledger.reads.lead(lead).version]
            follow(ledger, lead, "新的")
            versions.append(ledger.reads.lead(lead).version)
        except NotReady:
            return
        assert versions == [1, 2]
        facts = [event["facts"].get("result") for event in ledger.reads.history(lead)]
        assert facts == [None, "新的"]
        check_projections(ledger)


@pytest.mark.sqlite_alone("the file's tables; test_postgres_projections.py has a schema's")
def test_projections_that_another_version_made_are_made_anew_at_the_start(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger)
        ledger.reads.position()
        before = contents(ledger)
    with closing(raw(settings_in(tmp_path).projections)) as connection:
        connection.execute("ALTER TABLE leads RENAME COLUMN state TO private")
    with ledger_in(tmp_path) as ledger:
        ledger.reads.position()
        assert contents(ledger) == before
