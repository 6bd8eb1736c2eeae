"""A rebuild by several processes: the same rows, whoever of them fails or is killed."""

import multiprocessing
import os
import select
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from domain.errors import NotReady
from service.application import Ledger
from service.log_share import shares
from service.projections.feed import BATCH, ProjectionStopped
from service.projections.rebuild import MOST_PROCESSES, WORTH_A_PROCESS, worth
from tests.service.helpers import (
    PATIENCE,
    a_lead,
    check_projections,
    contents,
    follow,
    journeys,
    ledger_in,
    register,
    started,
    whole_log,
)
from tests.service.test_catch_up import STAMP, fill
from tests.service.test_shadow import NAME, files

pytestmark = pytest.mark.sqlite_alone(
    "the parts of a rebuild that several processes make are files"
)


def helpers() -> list[int]:
    """The ids of the processes that take part in this one's rebuild."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ran = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
    return [int(child) for child, line in ran.items() if "help_out" in line]


def fill_up(ledger: Ledger) -> None:
    """A log of several batches for each of several shares, with every kind of event."""
    journeys(ledger)
    fill(ledger, 2_000, 2)
    follow(ledger, a_lead(ledger))
    assert len(whole_log(ledger)) > 3 * BATCH


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_rows_made_by_several_processes_are_the_live_ones(tmp_path: Path, processes: int) -> None:
    with ledger_in(tmp_path) as ledger:
        fill_up(ledger)
        ledger.reads.position()
        live = contents(ledger)
        told: list[int] = []
        reached = ledger.reads.catch_up.rebuild(told.append, processes)
        assert contents(ledger) == live
        assert reached == sum(told) == len(whole_log(ledger))
        assert len(told) > 2
        assert files(tmp_path) == {NAME, f"{NAME}.1"}


def test_a_log_hardly_anything_is_in_is_shared_too(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert ledger.reads.catch_up.rebuild(processes=3) == 0
        register(ledger, "only")
        ledger.reads.position()
        live = contents(ledger)
        assert ledger.reads.catch_up.rebuild(processes=3) == 1
        assert contents(ledger) == live


def test_events_recorded_while_several_rebuild_are_in_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill_up(ledger)
        lead = a_lead(ledger)
        recorded: list[object] = []

        def more(_events: int) -> None:
            if len(recorded) < 3:
                recorded.append((follow(ledger, lead), a_lead(ledger)))

        assert ledger.reads.catch_up.rebuild(more, 2) == len(whole_log(ledger))
        assert recorded
        check_projections(ledger)


# The shares


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_each_stream_is_in_one_share_whole_and_members_are_in_all(tmp_path: Path, of: int) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        fill(ledger, 100, 3)
        log = whole_log(ledger)
        a_lead(ledger)
        seen: Counter[int] = Counter()
        for share in shares(ledger.log_recorder, log[-1].id, of):
            given = [row[0] for row in share.stored_rows(0, 2**31)]
            assert given == [event.id for event in share.select_notifications(None, 2**31)]
            seen.update(given)
            share.close()
        members = {event.id for event in log if event.topic.startswith("member.")}
        assert seen == {event.id: of if event.id in members else 1 for event in log}


def test_shares_are_of_about_as_many_events_wherever_the_leads_begin(tmp_path: Path) -> None:
    """All leads begin before anything else happens to any of them."""
    with ledger_in(tmp_path) as ledger:
        leads = [a_lead(ledger) for _ in range(20)]
        for turn in range(4):
            for lead in leads:
                follow(ledger, lead, f"{turn}")
        log = whole_log(ledger)
        found = shares(ledger.log_recorder, log[-1].id, 2)
        sizes = [len(share.select_notifications(None, 2**31)) for share in found]
        for share in found:
            share.close()
        assert min(sizes) > 0.4 * len(log)


def test_only_long_logs_are_shared() -> None:
    assert worth(WORTH_A_PROCESS - 1) == worth(0) == 1
    assert worth(10 * WORTH_A_PROCESS) == min(MOST_PROCESSES, os.cpu_count() or 1)


# Whoever fails


@pytest.mark.parametrize("first", [True, False])
def test_an_event_that_one_of_them_cannot_take_in_is_named(tmp_path: Path, first: bool) -> None:
    with ledger_in(tmp_path) as ledger:
        early = a_lead(ledger)
        fill_up(ledger)
        ledger.reads.position()
        old = contents(ledger)
        lead = early if first else a_lead(ledger)
        event = StoredEvent(lead, 2, "lead.followed_up", f'{STAMP}"form":"visit"}}'.encode())
        ledger.record_all([event])
        with pytest.raises(ProjectionStopped, match=f"event 2 of {lead}"):
            ledger.reads.catch_up.rebuild(processes=2)
        assert contents(ledger) == old
        assert files(tmp_path) == {NAME}


def test_an_event_of_a_lead_that_never_began_is_in_a_share_and_stops_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill_up(ledger)
        state = f'{STAMP}"occurred_on":"2025-05-01","form":"call","result":"x"}}'
        stray = uuid4()
        ledger.record_all([StoredEvent(stray, 2, "lead.followed_up", state.encode())])
        with pytest.raises(ProjectionStopped, match=f"event 2 of {stray}"):
            ledger.reads.catch_up.rebuild(processes=2)


def test_a_helper_that_is_killed_ends_the_rebuild_and_leaves_the_old_rows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill_up(ledger)
        ledger.reads.position()
        old = contents(ledger)

        def kill(_events: int) -> None:
            for helper in helpers():
                os.kill(helper, signal.SIGKILL)

        with pytest.raises(NotReady, match="ended too early"):
            ledger.reads.catch_up.rebuild(kill, 2)
        assert contents(ledger) == old
        assert files(tmp_path) == {NAME}
        check_projections(ledger)


def die_beside_a_helper(folder: Path, pipe: Any) -> None:
    """Tell the helper's process id with the first batch, and die."""

    def die(_events: int) -> None:
        (helper,) = helpers()
        pipe.send(helper)
        os.kill(os.getpid(), signal.SIGKILL)

    with ledger_in(folder) as ledger:
        ledger.reads.catch_up.rebuild(die, 2)


def test_a_helper_does_not_outlive_the_rebuild(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill_up(ledger)
        ledger.reads.position()
        old = contents(ledger)
        ours, theirs = multiprocessing.Pipe()
        process, pipe = started(die_beside_a_helper, tmp_path, theirs)
        assert ours.poll(PATIENCE)
        wait_for_the_end_of(ours.recv())
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        process.close()
        for end in (ours, theirs, pipe):
            end.close()
        assert contents(ledger) == old
        check_projections(ledger)
        assert files(tmp_path) == {NAME, f"{NAME}.1"}


def wait_for_the_end_of(pid: int) -> None:
    """Return once no process of that number runs."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE)
        assert ended, "it runs on"
    finally:
        os.close(handle)
