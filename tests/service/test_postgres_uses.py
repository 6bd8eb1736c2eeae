"""What several machines share on PostgreSQL: when a token was used, and who is the one keeper."""

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import NotReady
from service.alone import AloneHere, alone_at
from service.postgres import Postgres
from service.settings import Settings
from service.tokens import id_of
from service.uses import TableUses
from tests.faults.serving import until
from tests.postgres import rows
from tests.service.helpers import ledger_at, settings_in


@pytest.fixture
def settings(tmp_path: Path, postgres: Postgres) -> Settings:
    """Settings of a ledger on an empty database."""
    return replace(settings_in(tmp_path, lock_timeout=0.3), postgres=postgres)


def set_back(postgres: Postgres) -> None:
    """Have every token's last use be long ago."""
    rows(postgres, "UPDATE ledger.token_uses SET used_at = '2000-01-01T00:00:00.000000Z'")


def test_the_last_use_is_noted_once_in_ten_minutes_and_changes_no_version(
    settings: Settings, postgres: Postgres
) -> None:
    with ledger_at(settings) as ledger, ledger_at(settings) as other:
        used, unused = (id_of(ledger.tokens.issue("officer")) for _ in range(2))
        version = ledger.reads.data_version()
        with other.tokens.store.alone():
            ledger.tokens.uses.note(used)
        at = other.tokens.one(used).last_used_at
        assert at and at.endswith("Z") and at > "2020"
        set_back(postgres)
        ledger.tokens.uses.note(used)
        assert (other.tokens.one(used).last_used_at or "").startswith("2000"), "not so soon"
        other.tokens.uses.note(used)
        assert (ledger.tokens.one(used).last_used_at or "") >= at, "by another machine, or later"
        assert ledger.tokens.one(unused).last_used_at is None
        assert ledger.reads.data_version() == version


def test_an_earlier_use_takes_no_later_one_s_place(settings: Settings, postgres: Postgres) -> None:
    with closing(TableUses(settings)) as uses:
        uses.create()
        uses.note("0123456789ab")
        rows(postgres, "UPDATE ledger.token_uses SET used_at = '2999'")
        with closing(TableUses(settings)) as others:
            others.note("0123456789ab")
        assert uses.last("0123456789ab") == "2999"


def test_what_cannot_be_noted_of_a_use_is_not(settings: Settings, postgres: Postgres) -> None:
    with closing(TableUses(settings)) as uses:
        uses.create()
        rows(postgres, "DROP TABLE ledger.token_uses")
        uses.note("0123456789ab")


def test_one_of_all_that_use_the_database_is_alone(settings: Settings) -> None:
    with closing(alone_at(settings, "keeper")) as first:
        elsewhere = replace(settings, database=Path("/elsewhere/ledger"))
        with closing(alone_at(elsewhere, "keeper")) as second:
            assert first.take()
            assert not second.take()
            first.check()
            first.close()
            until(second.take, "the second to be alone")
            with closing(alone_at(settings, "another")) as other:
                assert other.take()


def test_whoever_s_connection_ended_is_alone_no_more_and_the_next_one_is(
    settings: Settings, postgres: Postgres
) -> None:
    with (
        closing(alone_at(settings, "keeper")) as first,
        closing(alone_at(settings, "keeper")) as second,
    ):
        assert first.take()
        rows(
            postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        with pytest.raises(NotReady, match="The connection that kept others from it was lost"):
            first.check()
        assert second.take()
        assert not first.take()


def test_while_the_database_cannot_be_reached_nobody_is_alone(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings.postgres
    nowhere = replace(settings.postgres, url="postgresql://ledger@127.0.0.1:9/nowhere")
    with closing(alone_at(replace(settings, postgres=nowhere), "keeper")) as alone:
        with caplog.at_level(logging.WARNING):
            assert not alone.take()
        assert "cannot be asked just now" in caplog.text


def test_on_one_machine_a_file_says_who_is_alone(tmp_path: Path) -> None:
    with (
        closing(AloneHere(tmp_path / "lock")) as first,
        closing(AloneHere(tmp_path / "lock")) as second,
    ):
        assert first.take()
        assert not second.take()
        first.check()
        first.close()
        assert second.take()
