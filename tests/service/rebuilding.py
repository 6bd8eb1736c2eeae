"""Processes that read and write beside a rebuild, whichever database the projections are in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.leads import leads
from tests.service.helpers import CONTEXT, PATIENCE, follow, ledger_in
from tests.service.test_catch_up import DAY


def marked(ledger: Ledger) -> None:
    """Write into the rows what no event says: by it the tables that are read are known."""
    with ledger.reads.store.writing() as connection:
        connection.execute(sa.update(leads).values(body=b"marked"))


@contextmanager
def another_reader(folder: Path, lead: UUID) -> Iterator[Callable[[], Any]]:
    """Another process; called, it gives the lead's JSON as it reads it then."""
    mine, theirs = CONTEXT.Pipe()
    reader = CONTEXT.Process(target=_read_when_told, args=(folder, lead, theirs))
    reader.start()
    theirs.close()

    def told() -> Any:
        mine.send(True)
        assert mine.poll(PATIENCE)
        return mine.recv()

    yield told
    mine.send(False)
    reader.join()
    reader.close()
    mine.close()


def follow_each_rebuild(ledger: Ledger, told: Callable[[], Any], times: int) -> None:
    """Rebuild again and again; another reader is told the old rows until then, and the new ones."""
    first = told()
    for _ in range(times):
        marked(ledger)
        assert told() == b"marked"
        ledger.reads.catch_up.rebuild(lambda _: told() == b"marked" or pytest.fail("mixed"))
        assert told() == first


def _read_when_told(folder: Path, lead: UUID, pipe: Any) -> None:
    with ledger_in(folder) as ledger:
        while pipe.recv():
            pipe.send(ledger.reads.lead(lead).body)


def rebuild_or_write(barrier: Any, folder: Path, number: int, lead: UUID, turns: int) -> int:
    """Rebuild again and again, or write and read back."""
    with ledger_in(folder, lock_timeout=30) as ledger:
        barrier.wait()
        for turn in range(turns):
            if number < 2:
                ledger.reads.catch_up.rebuild()
            else:
                version = follow(ledger, lead, f"{number}/{turn}").version
                assert ledger.reads.lead(lead).version >= version
                assert ledger.reads.pipeline(Selection(), *DAY, None)["tips"] == 1
    return turns
