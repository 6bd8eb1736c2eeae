"""A ledger moves from its files into PostgreSQL whole, however often the move is killed."""

import fcntl
import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from domain.actor import acting, now
from domain.errors import NotReady, Refused
from service.application import Ledger
from service.cli import main
from service.moving import Moved, move
from service.postgres import Postgres
from service.settings import Settings
from tests.postgres import database_of, rows
from tests.service.helpers import (
    CONTEXT,
    a_lead,
    check_projections,
    follow,
    journeys,
    ledger_at,
    settings_in,
    somebody,
    whole_log,
)


@pytest.fixture
def files(tmp_path: Path) -> Settings:
    """A ledger in files, with some leads, two tokens, a checkpoint and an alarm."""
    settings = replace(settings_in(tmp_path), postgres=None)
    with ledger_at(settings) as ledger, acting(somebody()):
        for _ in range(3):
            follow(ledger, a_lead(ledger))
        ledger.tokens.issue("officer", "张")
        ledger.tokens.revoke(ledger.tokens.issue("auditor", "审计").split("_")[1])
        ledger.published.publish(3, "a note", now())
        ledger.published.raise_alarm("nothing holds", now())
        ledger.published.rule("it was a drill", "管理员", now())
    return settings


@pytest.fixture
def target(tmp_path: Path) -> Postgres:
    """An empty database."""
    return database_of(tmp_path / "target")


def moved(files: Settings, target: Postgres) -> Moved:
    """What the move says."""
    with ledger_at(files) as ledger:
        return move(ledger, target)


def kept(ledger: Ledger) -> list[list[tuple[Any, ...]]]:
    """Every row beside the log, and the log."""
    found: list[list[tuple[Any, ...]]] = [list(ledger.log_recorder.stored_rows(0, 2**31))]
    for store in ledger.kept:
        with store.reading() as connection:
            for table in store.tables.sorted_tables:
                there = map(tuple, connection.execute(sa.select(table)))
                found.append(sorted(there, key=repr))
    return found


def test_all_of_it_is_there_afterwards_and_goes_on(files: Settings, target: Postgres) -> None:
    with ledger_at(files) as ledger:
        journeys(ledger)
        before, events = kept(ledger), len(whole_log(ledger))
        done = move(ledger, target)
    assert (done.events, done.position) == (events, events)
    with ledger_at(replace(files, postgres=target)) as there:
        assert kept(there) == before
        assert set(there.reads.catch_up.status().values()) == {events}
        check_projections(there)
        # What the database numbers goes on after what was copied.
        there.published.publish(4, "another", now())
        there.access.note("token", "list the tokens")
        lead = a_lead(there)
        assert follow(there, lead).version == 2


def test_the_files_are_not_served_by_mistake_and_stay_as_they_are(
    files: Settings, target: Postgres
) -> None:
    log = files.database.read_bytes()
    moved(files, target)
    with pytest.raises(Refused, match="was moved to postgresql://ledger@/"), ledger_at(files):
        pass
    files.moved.unlink()
    with ledger_at(files) as ledger:
        assert len(whole_log(ledger)) == 9
    assert len(log) <= files.database.stat().st_size


def test_a_move_that_was_finished_is_only_noted_again(files: Settings, target: Postgres) -> None:
    first = moved(files, target)
    with ledger_at(replace(files, postgres=target)) as there:
        a_lead(there)
    files.moved.unlink()
    assert moved(files, target) == first._replace(rows=0)
    assert files.moved.exists()
    files.moved.unlink()
    with ledger_at(files) as ledger:
        a_lead(ledger)
        with pytest.raises(Refused, match="has gone on here since"):
            move(ledger, target)


def test_another_ledgers_database_is_refused_and_left_alone(
    files: Settings, target: Postgres, tmp_path: Path
) -> None:
    other = replace(settings_in(tmp_path / "other"), postgres=target)
    with ledger_at(other) as ledger:
        a_lead(ledger)
        before = kept(ledger)
        with pytest.raises(Refused, match="There is another ledger there"):
            moved(files, target)
        assert kept(ledger) == before
    assert not files.moved.exists()


def test_another_ledgers_move_is_refused(files: Settings, target: Postgres, tmp_path: Path) -> None:
    moved(files, target)
    other = replace(settings_in(tmp_path / "other"), postgres=None)
    with pytest.raises(Refused, match=r"ledger\.sqlite was moved there, and not .*other"):
        moved(other, target)


def test_a_log_that_began_otherwise_is_refused(files: Settings, target: Postgres) -> None:
    with CONTEXT.Manager() as manager:
        process = CONTEXT.Process(target=killed_midway, args=(files, target, manager.list()))
        process.start()
        process.join()
    rows(target, "UPDATE ledger.stored_events SET state = 'x' WHERE position = 5")
    rows(target, "DELETE FROM ledger.stored_events WHERE position > 5")
    with pytest.raises(Refused, match="At position 5 the log there has another event"):
        moved(files, target)


def test_who_serves_the_ledger_is_to_stop_first(files: Settings, target: Postgres) -> None:
    lock = files.database.with_name(files.database.name + ".keeper.lock")
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="stop 'leadledger serve' first"):
            moved(files, target)


def test_who_has_the_files_open_records_nothing_there_after_the_move(
    files: Settings, target: Postgres
) -> None:
    """As workers of a service without a keeper, or under another server, have."""
    with ledger_at(files) as serving:
        lead = a_lead(serving)
        moved(files, target)
        before = whole_log(serving)
        with pytest.raises(NotReady, match="was moved and goes on elsewhere"):
            follow(serving, lead)
        assert whole_log(serving) == before
    with ledger_at(replace(files, postgres=target)) as there:
        assert whole_log(there) == before
        follow(there, lead)


def killed_midway(files: Settings, target: Postgres, _notes: Any) -> None:
    """Move until the log is copied, and end without a word."""
    with ledger_at(files) as ledger:
        move(ledger, target, lambda _events: os._exit(9))


def go(files: Settings, target: Postgres) -> None:
    """Move, if nobody comes between."""
    moved(files, target)


def test_a_move_that_is_killed_again_and_again_loses_nothing(
    files: Settings, target: Postgres
) -> None:
    """Each time a little later than the time before."""
    with ledger_at(files) as ledger:
        before = kept(ledger)
    there = replace(files, postgres=target)
    killed = 0
    while not files.moved.exists():
        process = CONTEXT.Process(target=go, args=(files, target))
        process.start()
        process.join(0.02 * 1.5**killed)
        process.kill()
        process.join()
        killed += 1
        unfinished = "SELECT to_regclass('ledger.moved') IS NOT NULL"
        if rows(target, unfinished)[0][0] and rows(
            target, "SELECT 1 FROM ledger.moved WHERE finished_at IS NULL"
        ):
            with pytest.raises(Refused, match="is being moved here"), ledger_at(there):
                pass
        assert killed < 100
    assert killed > 3
    with ledger_at(there) as ledger:
        assert kept(ledger) == before
        check_projections(ledger)


def test_the_command_says_how_to_switch_and_takes_no_password(
    files: Settings, target: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_DATABASE", f"sqlite:///{files.database}")
    told = CliRunner().invoke(main, ["migrate", "--to", "postgresql://u:secret@h/d"])
    assert told.exit_code == 2 and "secret" not in told.output
    done = CliRunner().invoke(main, ["migrate", "--to", target.url])
    assert done.exit_code == 0, done.output
    assert f"export LEDGER_DATABASE={quote(target.url)}" in done.output
    assert f"LEDGER_FILES={files.database}" in done.output
    again = CliRunner().invoke(main, ["projections", "status"])
    assert again.exit_code == 1 and "was moved to" in again.output
    monkeypatch.setenv("LEDGER_DATABASE", target.url)
    monkeypatch.setenv("LEDGER_FILES", f"{files.database}")
    assert CliRunner().invoke(main, ["projections", "status"]).exit_code == 0
