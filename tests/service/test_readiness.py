"""Readiness, which writes: found out once for all who asked before."""

import time

import pytest
from eventsourcing.persistence import PersistenceError

from domain.actor import now
from service.application import Ledger
from service.readiness import Readiness
from tests.service.helpers import sqlite_log

pytestmark = pytest.mark.sqlite_alone("its recorder counts what it commits")


def test_who_asked_before_it_began_is_told_what_was_found(ledger: Ledger) -> None:
    readiness, earlier = Readiness(ledger), time.monotonic()
    found = readiness.check(now())
    commits = sqlite_log(ledger).commits
    assert readiness.check(now(), earlier) is found
    assert sqlite_log(ledger).commits == commits


def test_who_asks_after_it_began_has_it_found_out_anew(ledger: Ledger) -> None:
    readiness = Readiness(ledger)
    readiness.check(now())
    commits = sqlite_log(ledger).commits
    readiness.check(now())
    assert sqlite_log(ledger).commits > commits


def test_a_fault_is_told_to_nobody_but_who_met_it(ledger: Ledger) -> None:
    readiness, earlier = Readiness(ledger), time.monotonic()
    readiness.check(now())
    with sqlite_log(ledger).writing() as connection:
        connection.execute("ALTER TABLE readiness RENAME TO elsewhere")
    with pytest.raises(PersistenceError):
        readiness.check(now())
    with sqlite_log(ledger).writing() as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO readiness")
    assert readiness.check(now(), earlier).detail == readiness.check(now()).detail
