"""Every setting has a default that works, and every wrong one is named in one line."""

from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from domain.errors import NotFound
from service.settings import TABLE, Settings, WrongSetting, strangers
from tests.service.helpers import a_lead, ledger_at


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings.database.name == "ledger.sqlite"
    assert settings.database.parent.name == "var"
    assert settings.projections == settings.database.with_name("ledger.sqlite.projections")
    assert (settings.bind, settings.port, settings.lock_timeout) == ("127.0.0.1", 8000, 5.0)
    assert settings.workers >= 2
    assert settings.keeper == settings.database.with_name("ledger.sqlite.keeper")
    assert (settings.checkpoint_every, settings.checkpoint_to) == (600, None)


def test_a_variable_set_to_nothing_is_as_good_as_unset() -> None:
    empty = {setting.variable: "" for setting in TABLE.values()}
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_every_field_has_its_line_in_the_table_and_says_what_it_means() -> None:
    assert {field.name for field in fields(Settings)} == set(TABLE)
    assert all(setting.meaning and setting.variable.isupper() for setting in TABLE.values())
    assert len({setting.variable for setting in TABLE.values()}) == len(TABLE)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LEDGER_DATABASE", "sqlite:////srv/a.db", "database", Path("/srv/a.db")),
        ("LEDGER_DATABASE", "sqlite:///a.db", "database", Path("a.db")),
        ("LEDGER_DATABASE", "sqlite:////srv/x/", "database", Path("/srv/x/ledger.sqlite")),
        ("LEDGER_DATABASE", "sqlite:////", "database", Path("/ledger.sqlite")),
        ("LEDGER_DATABASE", "sqlite:////台账/a b.db", "database", Path("/台账/a b.db")),
        ("LEDGER_BIND", "0.0.0.0", "bind", "0.0.0.0"),
        ("LEDGER_BIND", "::1", "bind", "::1"),
        ("PORT", "1", "port", 1),
        ("PORT", "65535", "port", 65535),
        ("LEDGER_WORKERS", "1", "workers", 1),
        ("LEDGER_WORKERS", "64", "workers", 64),
        ("LEDGER_LOCK_TIMEOUT", "0.5", "lock_timeout", 0.5),
        ("LEDGER_LOCK_TIMEOUT", "600", "lock_timeout", 600.0),
        ("LEDGER_KEEPER_DIR", "/srv/keeper", "keeper_dir", Path("/srv/keeper")),
        ("LEDGER_KEEPER_DIR", "/srv/keeper", "keeper", Path("/srv/keeper")),
        ("LEDGER_CHECKPOINT_EVERY", "1", "checkpoint_every", 1),
        ("LEDGER_FAILURES_A_MINUTE", "0", "failures_a_minute", 0),
        ("LEDGER_REQUESTS_A_MINUTE", "600", "requests_a_minute", 600),
        ("LEDGER_PATIENCE", "2.5", "patience", 2.5),
        ("LEDGER_CACHE", "8", "cache", 8),
        (
            "LEDGER_TRUSTED_PROXIES",
            "127.0.0.1, fd00::/8",
            "trusted_proxies",
            (ip_network("127.0.0.1"), ip_network("fd00::/8")),
        ),
        ("LEDGER_CHECKPOINT_EVERY", "86400", "checkpoint_every", 86400),
        ("LEDGER_KEEPER", "off", "keeps", False),
        ("LEDGER_CHECKPOINT_TO", "/mnt/outside", "checkpoint_to", "/mnt/outside"),
        ("LEDGER_CHECKPOINT_TO", "https://a.example/x", "checkpoint_to", "https://a.example/x"),
    ],
)
def test_a_right_value_is_taken(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(Settings.from_environment({variable: text}), field) == value


def test_a_folder_that_is_there_holds_the_ledger(tmp_path: Path) -> None:
    settings = Settings.from_environment({"LEDGER_DATABASE": f"sqlite:///{tmp_path}"})
    assert settings.database == tmp_path / "ledger.sqlite"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LEDGER_DATABASE", "postgresql://ledger@localhost"),
        ("LEDGER_DATABASE", "mysql://x"),
        ("LEDGER_DATABASE", "/srv/ledger.sqlite"),
        ("LEDGER_DATABASE", "sqlite:///"),
        ("LEDGER_DATABASE", "sqlite://"),
        ("LEDGER_DATABASE", "sqlite:/srv/x"),
        # In memory every event is lost at the end, and every connection sees another ledger.
        ("LEDGER_DATABASE", "sqlite:///:memory:"),
        ("LEDGER_DATABASE", "two\nlines"),
        ("LEDGER_BIND", "a b"),
        ("LEDGER_BIND", "http://127.0.0.1"),
        ("LEDGER_BIND", "127.0.0.1\n"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80.0"),
        ("PORT", "http"),
        ("PORT", "８０００"),
        ("PORT", " 8000"),
        ("PORT", "9" * 5000),
        ("LEDGER_WORKERS", "0"),
        ("LEDGER_WORKERS", "65"),
        ("LEDGER_WORKERS", "many"),
        ("LEDGER_LOCK_TIMEOUT", "0"),
        ("LEDGER_LOCK_TIMEOUT", "-1"),
        ("LEDGER_LOCK_TIMEOUT", "601"),
        ("LEDGER_LOCK_TIMEOUT", "nan"),
        ("LEDGER_LOCK_TIMEOUT", "inf"),
        ("LEDGER_LOCK_TIMEOUT", "5s"),
        ("LEDGER_CHECKPOINT_EVERY", "0"),
        ("LEDGER_CHECKPOINT_EVERY", "86401"),
        ("LEDGER_CHECKPOINT_EVERY", "10m"),
        ("LEDGER_KEEPER", "no"),
        ("LEDGER_CHECKPOINT_TO", "ftp://a.example/x"),
        ("LEDGER_TRUSTED_PROXIES", "proxy.example"),
        ("LEDGER_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("LEDGER_TRUSTED_PROXIES", "*"),
        ("LEDGER_FAILURES_A_MINUTE", "-1"),
        ("LEDGER_REQUESTS_A_MINUTE", "many"),
        ("LEDGER_PATIENCE", "for ever"),
        ("LEDGER_CACHE", "0"),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_wrong_value_stops_with_one_line_that_names_the_variable(
    variable: str, text: str
) -> None:
    with pytest.raises(WrongSetting) as wrong:
        Settings.from_environment({variable: text})
    line = str(wrong.value)
    assert line.startswith(f"{variable}: ") and line.endswith(".")
    assert len(line.splitlines()) == 1


def test_settings_do_not_change_once_made() -> None:
    settings = Settings.from_environment({})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("one", "other"),
    [("ledger.2025", "ledger.2026"), ("a.sqlite", "a.db"), ("a", "a.sqlite")],
)
def test_two_ledgers_in_one_folder_do_not_see_each_others_leads(
    tmp_path: Path, one: str, other: str
) -> None:
    """Projections that two logs feed by turns serve numbers of neither."""
    first, second = [
        Settings.from_environment({"LEDGER_DATABASE": f"sqlite:///{tmp_path / name}"})
        for name in (one, other)
    ]
    with ledger_at(first) as ledger:
        lead = a_lead(ledger)
        assert ledger.reads.lead(lead).version == 1
    with ledger_at(second) as ledger, pytest.raises(NotFound):
        ledger.reads.lead(lead)


def test_a_variable_that_is_no_setting_is_told_with_the_nearest_one() -> None:
    right = {setting.variable: "" for setting in TABLE.values()}
    assert strangers({**right, "LEDGERS": "1", "MY_LEDGER_WORKER": "2"}) == []
    assert strangers({**right, "LEDGER_WORKER": "3", "LEDGER_DATABSE": "x"}) == [
        "LEDGER_DATABSE is no setting; the nearest is LEDGER_DATABASE.",
        "LEDGER_WORKER is no setting; the nearest is LEDGER_WORKERS.",
    ]
