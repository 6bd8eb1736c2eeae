"""What a limited caller may touch is judged by what the lead is at that very event of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from uuid import UUID

import pytest

from domain.actor import acting
from domain.correction import effective
from domain.errors import Forbidden, NotFound
from service.application import Ledger
from service.requests import Call
from service.scope import Scope
from tests.service.helpers import a_lead, call, follow, ledger_in, somebody

PATIENCE = 60
HERE, ABROAD = Scope("320812"), "440106"


def limited() -> Call:
    """A call of who is limited to the district."""
    return Call("limited", "d", scope=HERE)


def move(ledger: Ledger, lead: UUID, district: str) -> None:
    """Correct the lead's district."""
    facts = {"version": 1, "facts": {"district": district}, "reason": "在别处"}
    with acting(somebody()):
        ledger.correct(lead, call(), {**facts, "occurred_on": "2025-04-01"})


@pytest.mark.parametrize("prefix", ["32", "3208", "320812"])
def test_a_scope_has_what_begins_with_its_prefix(prefix: str) -> None:
    Scope(prefix).check_district("320812")
    Scope().check_district("440106")
    with pytest.raises(Forbidden, match=f"limited to district {prefix}, and 440106 is outside"):
        Scope(prefix).check_district("440106")


def test_nothing_is_recorded_of_a_lead_while_it_is_elsewhere(tmp_path: Path) -> None:
    """One moves it there and back, another who may not touch it there writes all the while."""
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        lead = a_lead(ledger)
        wrote, refused, ended = Semaphore(0), Semaphore(0), Event()

        def write() -> None:
            while not ended.is_set():
                try:
                    follow(other, lead, by=limited())
                    wrote.release()
                except NotFound:
                    refused.release()

        with ThreadPoolExecutor(1) as writer:
            writing = writer.submit(write)
            try:
                for _ in range(25):
                    one_more(wrote)
                    move(ledger, lead, ABROAD)
                    one_more(refused)
                    move(ledger, lead, "320812")
            finally:
                ended.set()
            writing.result()
        events = ledger.reads.events_of(lead, None)
        outside = [
            event.originator_version
            for before, event in enumerate(events)
            if event.TOPIC == "lead.followed_up"
            and effective(events[:before])[0].district != "320812"
        ]
        assert outside == []


def one_more(times: Semaphore) -> None:
    """Wait until it has happened once more from now on."""
    while times.acquire(blocking=False):
        pass
    assert times.acquire(timeout=PATIENCE), "the writer stands still"
