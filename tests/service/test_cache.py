"""How much of a file is kept in memory."""

from pathlib import Path

import pytest

from service.application import Ledger
from service.settings import Settings
from tests.service.helpers import opened, sqlite_log


@pytest.mark.sqlite_alone("PostgreSQL's memory is its own")
def test_every_connection_keeps_as_much_of_its_file_as_the_setting_says(tmp_path: Path) -> None:
    where = {"LEDGER_DATABASE": f"sqlite:///{tmp_path / 'ledger.sqlite'}", "LEDGER_CACHE": "8"}
    with opened(Ledger(Settings.from_environment(where))) as ledger:
        store = ledger.reads.store
        with sqlite_log(ledger).writing() as log:
            found = [log.execute("PRAGMA cache_size").fetchone()[0]]
        for within in (store.reading, store.snapshot, store.writing):
            with within() as connection:
                found.append(connection.exec_driver_sql("PRAGMA cache_size").scalar())
    assert found == [-8 * 1024] * 4
