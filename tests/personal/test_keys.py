"""The persons' keys: one for each, wrapped by a master key, and gone when they are destroyed."""

import service  # noqa: F401, I001 - a safe SQLite first

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from domain.errors import NotReady, Refused
from service.cli import main
from service.personal.keys import Keys
from service.personal.keys import keys as keys_table
from service.personal.masters import Masters
from service.settings import Settings, WrongSetting
from tests.databases import name_in_environment
from tests.service.helpers import ledger_at, processes, raw, settings_in

ONE, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)


@contextmanager
def keys_of(settings: Settings) -> Iterator[Keys]:
    """The keys, as a process opens them."""
    with closing(Keys(settings)) as keys:
        keys.create()
        yield keys


def test_a_person_has_one_key_for_ever(tmp_path: Path) -> None:
    with keys_of(settings_in(tmp_path)) as keys:
        first = keys.of_person("a")
        assert keys.of_persons(["b", "a", "a"])[1:] == [first, first]
        assert keys.of_person("b") != first
    with keys_of(settings_in(tmp_path)) as keys:
        assert keys.of_person("a") == first
        assert keys.of_ids([first.id, "none"]) == {first.id: first}


def test_the_file_tells_neither_whose_a_key_is_nor_the_key(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings) as keys:
        key = keys.of_person("phone\n13800000001")
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert b"13800000001" not in data and key.key not in data, path.name


def test_only_its_owner_may_read_the_keys(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings):
        own = (
            [settings.secret_file]
            if settings.postgres
            else [
                settings.secret_file,
                settings.subjects,
            ]
        )
        assert [file.stat().st_mode & 0o777 for file in own] == [0o600] * len(own)


def _person(barrier: Any, folder: Path) -> Any:
    with keys_of(settings_in(folder)) as keys:
        barrier.wait()
        return [keys.of_person(f"{n}") for n in range(20)]


def test_two_at_once_give_a_person_one_key(tmp_path: Path) -> None:
    one, other = processes(_person, [tmp_path], [tmp_path])
    assert one == other
    assert len({key.id for key in one}) == 20


@pytest.mark.sqlite_alone("a file's bytes; test_postgres_store.py has the same of a schema's")
def test_a_destroyed_key_is_gone_from_every_byte(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings) as keys, keys_of(settings) as others:
        kept, gone = keys.of_persons(["a", "b"])
        with raw(settings.subjects) as connection:
            wanted = "SELECT wrapped, person FROM keys WHERE id = ?"
            wrapped, person = connection.execute(wanted, (gone.id,)).fetchone()
        connection.close()
        keys.destroy([gone.id])
        for path in tmp_path.iterdir():
            data = path.read_bytes()
            assert gone.id.encode() not in data, path.name
            assert wrapped not in data and person.encode() not in data, path.name
        assert others.of_ids([gone.id]) == {}
        assert others.of_ids([kept.id]) == {kept.id: kept}
        assert others.of_person("b") not in (gone, kept)


@pytest.mark.sqlite_alone("a file's bytes; test_postgres_store.py has the same of a schema's")
def test_whoever_reads_on_and_on_is_named_and_it_can_be_asked_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, lock_timeout=0.2)
    with keys_of(settings) as keys:
        gone = keys.of_person("a")
        with closing(raw(settings.subjects)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM keys").fetchone()
            with pytest.raises(NotReady, match="may still stand"):
                keys.destroy([gone.id])
            reader.execute("COMMIT")
        keys.destroy([gone.id])
        assert not [p for p in tmp_path.iterdir() if gone.id.encode() in p.read_bytes()]


def test_the_index_is_no_person_to_be_destroyed(tmp_path: Path) -> None:
    with keys_of(settings_in(tmp_path)) as keys:
        first = keys.of_person("a")
        keys.destroy(["index"])
        assert keys.of_person("a") == first
        assert keys.made_at("index") is None


# The master key


def test_without_its_master_key_a_ledger_does_not_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings):
        pass
    settings.secret_file.rename(tmp_path / "elsewhere")
    with pytest.raises(WrongSetting, match=r"LEDGER_SECRET_KEY: .* is missing from .*secret"):
        Keys(settings).create()
    with pytest.raises(WrongSetting, match="LEDGER_SECRET_KEY holds another master key"):
        Keys(replace(settings, secret_key=(ONE,))).create()
    assert not settings.secret_file.exists()


def test_a_file_that_holds_no_key_is_named_and_not_told(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.secret_file.write_text("deadbeef\n")
    with pytest.raises(WrongSetting, match=r"ledger\.sqlite\.secret holds no master key") as wrong:
        Keys(settings).create()
    assert "deadbeef" not in str(wrong.value)


def test_a_master_key_that_is_set_needs_no_file(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path), secret_key=(ONE,))
    with keys_of(settings):
        assert not settings.secret_file.exists()


def test_a_rotation_wraps_every_key_anew(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings) as keys, keys_of(settings) as others:
        before = keys.of_persons([f"{n}" for n in range(1200)])
        (old,) = Masters(settings).read()
        assert keys.rotate() == 1201
        (new,) = Masters(settings).read()
        assert new != old
        # A worker that started before reads with the new one, and makes keys with it.
        assert others.of_persons([f"{n}" for n in range(1200)]) == before
        others.of_person("later")
        with keys.store.reading() as connection:
            used = connection.execute(sa.select(keys_table.c.master).distinct())
            assert used.scalars().all() == [new.id]
    assert settings.postgres or old.id.encode() not in settings.subjects.read_bytes()


def test_a_rotation_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(_done: int) -> None:
        raise Killed

    settings = settings_in(tmp_path)
    with keys_of(settings) as keys:
        before = keys.of_persons([f"{n}" for n in range(1200)])
        with pytest.raises(Killed):
            keys.rotate(kill)
        new, _old = Masters(settings).read()
    with keys_of(settings) as keys:
        assert keys.of_persons([f"{n}" for n in range(1200)]) == before
        assert keys.rotate() == 700
        assert Masters(settings).read() == [new]
        assert keys.of_persons([f"{n}" for n in range(1200)]) == before


def test_a_master_key_that_is_set_is_rotated_to_the_one_before_it(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path), secret_key=(ONE,))
    with keys_of(settings) as keys:
        key = keys.of_person("a")
        with pytest.raises(Refused, match="names one key only"):
            keys.rotate()
    with keys_of(replace(settings, secret_key=(OTHER, ONE))) as keys:
        assert keys.rotate() == 2
    with keys_of(replace(settings, secret_key=(OTHER,))) as keys:
        assert keys.of_person("a") == key


def test_a_worker_without_the_new_master_key_says_so(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path), secret_key=(ONE,))
    with keys_of(settings) as late:
        key = late.of_person("a")
        with keys_of(replace(settings, secret_key=(OTHER, ONE))) as keys:
            keys.rotate()
        with pytest.raises(NotReady, match="which is not in LEDGER_SECRET_KEY"):
            late.of_ids([key.id])


def test_the_command_rotates_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    with ledger_at(settings) as ledger:
        ledger.personal.keys.of_person("a")
        (old,) = Masters(settings).read()
    name_in_environment(monkeypatch, settings.database.parent)
    done = CliRunner().invoke(main, ["keys", "rotate"])
    assert (done.exit_code, done.output[:6]) == (0, "2 keys")
    assert Masters(settings).read() != [old]


def test_after_the_cipher_is_changed_a_rotation_leaves_none_of_the_old(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with keys_of(settings) as keys:
        key = keys.of_person("a")
    with keys_of(replace(settings, cipher="SM4GCM")) as keys:
        assert keys.of_person("a") == key
        keys.rotate()
        assert keys.of_person("a") == key
        with keys.store.reading() as connection:
            used = connection.execute(sa.select(keys_table.c.alg).distinct())
            assert used.scalars().all() == ["SM4GCM"]
