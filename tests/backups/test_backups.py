"""Backups made while the ledger is written, and put back: event by event, or not at all."""

import service  # noqa: F401, I001 - a safe SQLite first

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from contextlib import closing
from threading import Event
from dataclasses import replace
from uuid import UUID

import orjson
import pytest

from service.backups.manifest import ACCESS, LEDGER, NAME, SUBJECTS
from tests.faults.serving import PATIENCE, until
from service.postgres import Postgres
from tests.backups.ground import an_office, done, files_in, fill, refused
from tests.service.helpers import (
    check_projections,
    follow,
    ledger_at,
    ledger_in,
    settings_in,
    raw,
    register,
    tip,
    whole_log,
)

WRITERS = 4
IN_FILES = pytest.mark.sqlite_alone(
    "a backup is put back into files, and an office's are copied here; the last test has PostgreSQL"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger that nobody changes."""
    return an_office(tmp_path_factory.mktemp("made") / "office")


@pytest.fixture
def office(made: Path, tmp_path: Path) -> Path:
    """The folder of a ledger."""
    return shutil.copytree(made, tmp_path / "office")


@IN_FILES
def test_a_backup_put_back_is_the_ledger_that_it_was(office: Path, tmp_path: Path) -> None:
    with ledger_in(office) as ledger:
        before, access = whole_log(ledger), list(ledger.access.rows())
        checkpoint, tokens = ledger.published.latest(), ledger.tokens.listed()
    said = done(office, "backup", tmp_path / "b", "--keys", tmp_path / "k")
    assert f"{len(before)} events, up to position {before[-1].id}" in said
    assert files_in(tmp_path / "b") == [LEDGER, ACCESS, NAME]
    assert files_in(tmp_path / "k") == [SUBJECTS, NAME]
    other = tmp_path / "other"
    said = done(other, "restore", tmp_path / "b", "--keys", tmp_path / "k")
    assert f"{len(before)} events, up to position {before[-1].id}" in said
    assert files_in(other) == [LEDGER, ACCESS, SUBJECTS]
    shutil.copy(office / "ledger.sqlite.secret", other)
    with ledger_in(other) as ledger:
        assert whole_log(ledger) == before
        # The backup of the keys was itself recorded before they were copied.
        assert list(ledger.access.rows()) == access
        assert (ledger.published.latest(), ledger.tokens.listed()) == (checkpoint, tokens)
        assert tip(ledger, register(ledger, "QJP-101").subject).position == before[-1].id + 2
        check_projections(ledger)
        named = [one for one in before if b'"contact":{' in one.state]
        lead = orjson.loads(ledger.reads.lead(UUID(f"{named[-1].originator_id}")).body)
        assert ledger.personal.shown(lead, plain=True)["contact"]["phone"] == "13800000001"


@IN_FILES
def test_what_four_writers_were_answered_before_the_backup_began_is_in_it(
    office: Path, tmp_path: Path
) -> None:
    over, told = Event(), [0] * WRITERS

    def write(number: int) -> None:
        with ledger_in(office) as ledger:
            lead = tip(ledger, register(ledger, f"W-{number}").subject).subject
            while not over.is_set():
                told[number] = follow(ledger, lead, f"{told[number]}").position or 0

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, number) for number in range(WRITERS)]
        try:
            until(lambda: min(told) > 0, "every writer to be answered")
            answered = max(told)
            done(office, "backup", tmp_path / "b")
            later = max(told)
            until(lambda: max(told) > later, "the writers to go on")
        finally:
            over.set()
        for writer in writers:
            writer.result(PATIENCE)
    done(tmp_path / "other", "restore", tmp_path / "b")
    with ledger_in(office) as live, ledger_in(tmp_path / "other") as copy:
        there, back = whole_log(live), whole_log(copy)
        assert answered <= back[-1].id < there[-1].id
        assert back == there[: len(back)]
        check_projections(copy)


def test_a_backup_has_a_name_of_its_own(office: Path, tmp_path: Path) -> None:
    done(office, "backup", tmp_path / "b")
    assert "There is" in refused(office, "backup", tmp_path / "b")
    assert "kept apart" in refused(office, "backup", tmp_path / "c", "--keys", tmp_path / "c/k")
    assert not (tmp_path / "c").exists()


@IN_FILES
@pytest.mark.parametrize("name", [LEDGER, ACCESS, SUBJECTS, f"{LEDGER}-wal", f"{LEDGER}.tree"])
def test_a_backup_is_put_back_only_where_nothing_is(
    office: Path, tmp_path: Path, name: str
) -> None:
    done(office, "backup", tmp_path / "b")
    other = tmp_path / "other"
    other.mkdir()
    (other / name).write_bytes(b"somebody's")
    assert f"There is {other / name} already" in refused(other, "restore", tmp_path / "b")
    assert files_in(other) == [name]
    assert (other / name).read_bytes() == b"somebody's"


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _other(path: Path) -> None:
    path.write_bytes(b"{}" if path.name == NAME else b"no database")


DAMAGE = [_cut, _flip, _other, Path.unlink]


@IN_FILES
@pytest.mark.parametrize("damage", DAMAGE, ids=["cut", "flipped", "another", "gone"])
@pytest.mark.parametrize("name", [LEDGER, ACCESS, NAME])
def test_a_damaged_backup_is_not_put_back(
    office: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    done(office, "backup", tmp_path / "b")
    damage(tmp_path / "b" / name)
    assert refused(tmp_path / "other", "restore", tmp_path / "b").startswith("Error: ")
    assert files_in(tmp_path / "other") == []


def changed(office: Path, statement: str) -> None:
    """Change the log behind everybody's back."""
    with closing(raw(office / "ledger.sqlite")) as connection:
        connection.execute(statement)


@IN_FILES
def test_a_backup_whose_digests_are_made_to_fit_is_still_held_against_its_checkpoint(
    office: Path, tmp_path: Path
) -> None:
    changed(
        office,
        "UPDATE stored_events SET state = replace(state, '2025', '2024') "
        "WHERE topic = 'lead.tipped'",
    )
    told = refused(office, "backup", tmp_path / "b")
    assert "do not have the root of the last checkpoint" in told
    assert files_in(tmp_path) == ["office"]


@IN_FILES
def test_an_event_that_cannot_be_read_is_named(office: Path, tmp_path: Path) -> None:
    changed(office, "UPDATE stored_events SET topic = 'lead.sold' WHERE rowid = 5")
    assert "Position 5 cannot be read" in refused(office, "backup", tmp_path / "b")


@IN_FILES
def test_an_access_record_with_a_row_taken_out_is_not_backed_up(
    office: Path, tmp_path: Path
) -> None:
    with ledger_in(office) as ledger:
        ledger.access.note("token", "issue a token")
        ledger.access.note("token", "issue a token")
        with ledger.access.store.writing() as connection:
            connection.exec_driver_sql("DELETE FROM access WHERE id = 2")
    assert "some were taken out" in refused(office, "backup", tmp_path / "b")


@IN_FILES
def test_without_its_keys_a_restored_ledger_says_what_is_missing(
    office: Path, tmp_path: Path
) -> None:
    assert "are not in it" in done(office, "backup", tmp_path / "b")
    assert "never be read again" in done(tmp_path / "other", "restore", tmp_path / "b")


@IN_FILES
def test_keys_are_no_ledger_and_a_ledger_is_no_keys(office: Path, tmp_path: Path) -> None:
    done(office, "backup", tmp_path / "b", "--keys", tmp_path / "k")
    assert "kind keys" in refused(tmp_path / "other", "restore", tmp_path / "k")
    told = refused(tmp_path / "other", "restore", tmp_path / "b", "--keys", tmp_path / "b")
    assert "kind ledger" in told


@IN_FILES
@pytest.mark.parametrize("upto", [(), (SUBJECTS,), (SUBJECTS, ACCESS), (SUBJECTS, ACCESS, LEDGER)])
def test_a_restore_goes_on_from_wherever_it_was_killed(
    office: Path, tmp_path: Path, upto: tuple[str, ...]
) -> None:
    done(office, "backup", tmp_path / "b", "--keys", tmp_path / "k")
    other = tmp_path / "other"
    place = other / "ledger.sqlite.restoring"
    place.mkdir(parents=True)
    (place / "was-empty").touch()
    (place / LEDGER).write_bytes(b"half of it")
    for name in upto:
        shutil.copy(tmp_path / ("k" if name == SUBJECTS else "b") / name, other)
    assert "run it again" in refused(other, "keeper")
    done(other, "restore", tmp_path / "b", "--keys", tmp_path / "k")
    assert files_in(other) == [LEDGER, ACCESS, SUBJECTS]


def test_a_ledger_on_postgresql_is_backed_up_while_it_is_written_and_moves_there_again(
    postgres: Postgres, tmp_path: Path
) -> None:
    folder, over = tmp_path / "pg", Event()
    folder.mkdir()
    settings = replace(settings_in(folder), postgres=postgres)
    at = {"LEDGER_DATABASE": postgres.whole_url, "LEDGER_FILES": f"{settings.database}"}
    with ledger_at(settings) as ledger:
        fill(ledger)
        answered = whole_log(ledger)
        lead = next(UUID(f"{one.originator_id}") for one in answered if one.topic == "lead.tipped")

        def write() -> None:
            while not over.is_set():
                follow(ledger, lead, "又去了一次")

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                done(folder, "backup", tmp_path / "b", "--keys", tmp_path / "k", **at)
            finally:
                over.set()
            writing.result(PATIENCE)
        there, tokens = whole_log(ledger), ledger.tokens.listed()
        persons = ledger.personal.keys.count()
    assert files_in(tmp_path / "b") == [LEDGER, ACCESS, NAME]
    assert files_in(tmp_path / "k") == [SUBJECTS, NAME]
    assert "is put back into files" in refused(folder, "restore", tmp_path / "b", **at)
    into = {"LEDGER_DATABASE": f"sqlite:///{tmp_path / 'other'}/", "LEDGER_FILES": ""}
    done(tmp_path / "other", "restore", tmp_path / "b", "--keys", tmp_path / "k", **into)
    shutil.copy(settings.secret_file, tmp_path / "other")
    files = replace(settings_in(tmp_path / "other"), postgres=None)
    with ledger_at(files) as copy:
        back = whole_log(copy)
        assert answered == back[: len(answered)] and back == there[: len(back)]
        assert copy.tokens.listed() == tokens
        assert copy.personal.keys.count() == persons
        check_projections(copy)
