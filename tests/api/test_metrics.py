"""What a monitor is told: of all workers, by route and never by what a client says."""

import os
import re
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.figures import BOUNDS, PARTS, WIDTH, Figures
from service.locks import FileLock
from tests.api.office import BODIES, DISTRICT, NOBODY, Caller, Office, a_tip, problem_of
from tests.faults.serving import Client, serving, until

_LINE = re.compile(r'([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) ([0-9.e+-]+)')


def figures(text: str) -> Mapping[str, float]:
    """Every figure by its name and labels; fails for a line that Prometheus would not read."""
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    found = [_LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return {line[1]: float(line[2]) for line in found if line}


class Since:
    """What was counted since this was made."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._before = caller, figures(caller.get("/metrics").text)

    def count(self, name: str) -> float:
        """By so much a figure has grown."""
        now = figures(self._caller.get("/metrics").text)
        return now.get(name, 0) - self._before.get(name, 0)


def took(method: str, route: str, status: str) -> str:
    """The number of requests of that kind."""
    labels = f'method="{method}",route="{route}",status="{status}"'
    return f"leadledger_request_duration_seconds_count{{{labels}}}"


def command(route: str, outcome: str) -> str:
    """The number of commands with that outcome."""
    return f'leadledger_commands_total{{route="{route}",outcome="{outcome}"}}'


def test_requests_are_counted_by_route_and_kind_of_status(office: Office) -> None:
    officer, since = office.officer, Since(office.officer)
    lead = officer.tip(officer.register()["id"])["id"]
    for path in (lead, lead, NOBODY):
        officer.get(f"/v1/leads/{path}")
    officer.get(f"/v1/leads/{lead}", If_None_Match='"1"')
    assert since.count(took("GET", "/v1/leads/{lead_id}", "2xx")) == 2
    assert since.count(took("GET", "/v1/leads/{lead_id}", "3xx")) == 1
    assert since.count(took("GET", "/v1/leads/{lead_id}", "4xx")) == 1
    assert since.count(took("POST", "/v1/leads", "2xx")) == 1
    assert since.count("leadledger_events_recorded_total") == 2
    officer.get("/v1/nowhere")
    assert since.count(took("other", "other", "4xx")) == 1


def test_a_histogram_tells_how_many_were_no_slower(office: Office) -> None:
    office.officer.get("/v1/members")
    told = figures(office.officer.get("/metrics").text)
    labels = 'method="GET",route="/v1/members",status="2xx"'
    name = "leadledger_request_duration_seconds"
    upto = [told[f'{name}_bucket{{{labels},le="{bound}"}}'] for bound in (*BOUNDS, "+Inf")]
    assert upto == sorted(upto)
    assert upto[-1] == told[f"{name}_count{{{labels}}}"] > 0
    assert 0 < told[f"{name}_sum{{{labels}}}"] < upto[-1] * BOUNDS[-1]


def test_commands_are_counted_by_what_became_of_them(office: Office) -> None:
    officer, since = office.officer, Since(office.officer)
    member = officer.register()["id"]
    tip = a_tip(member)
    lead = officer.post("/v1/leads", tip, Idempotency_Key="once").json
    assert lead is not None
    assert officer.post("/v1/leads", tip, Idempotency_Key="once").headers["Idempotent-Replay"]
    route = "/v1/leads/{lead_id}/screening"
    path = f"/v1/leads/{lead['id']}/screening"
    officer.command(lead, "screening", verdict="decline", reason="不合适")
    again = {**BODIES["screening"], "verdict": "pursue"}
    problem_of(officer.post(path, again), 409, "refused")
    problem_of(officer.post(path, again, If_Match='"1"'), 412, "stale")
    problem_of(officer.post(path, {"verdict": "?"}), 422, "invalid")
    assert since.count(command("/v1/leads", "recorded")) == 1
    assert since.count(command("/v1/leads", "replayed")) == 1
    for outcome in ("recorded", "refused", "stale", "invalid"):
        assert since.count(command(route, outcome)) == 1
    assert since.count('leadledger_problems_total{code="stale"}') == 1


def test_a_read_that_is_refused_is_no_command(office: Office) -> None:
    since = Since(office.officer)
    problem_of(office.officer.get("/v1/leads?limit=0"), 422, "invalid")
    assert since.count(command("/v1/leads", "invalid")) == 0
    assert since.count('leadledger_problems_total{code="invalid"}') == 1


def test_nothing_that_a_client_says_is_told(office: Office) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])["id"]
    officer.get(f"/v1/leads/{lead}?district={DISTRICT}")
    officer.get("/v1/13800000001")
    officer.call("BREW", "/v1/leads")
    told = officer.get("/metrics").text
    assert officer.token is not None
    for secret in (lead, DISTRICT, "13800000001", "BREW", officer.token.split("_")[1]):
        assert secret not in told


def test_how_far_the_projections_are_behind_is_told_and_not_changed(office: Office) -> None:
    officer = office.officer
    told = figures(officer.get("/metrics").text)
    assert told["leadledger_projections_lag_events"] == 0
    officer.register()
    for _ in range(2):
        told = figures(officer.get("/metrics").text)
        assert told["leadledger_projections_lag_events"] == 1
        assert 0 <= told["leadledger_projections_lag_seconds"] < 60
    ready = officer.ok("/readyz")
    assert ready["lag"]["events"] == 1 and 0 <= ready["lag"]["seconds"] < 60
    assert officer.ok("/readyz")["lag"] == {"events": 0, "seconds": 0.0}


def test_a_lock_that_was_waited_for_is_told(office: Office, tmp_path: Path) -> None:
    since = Since(office.officer)
    name = 'leadledger_lock_wait_seconds_count{lock="tree"}'
    lock, other = (FileLock(tmp_path / "ledger.sqlite.tree.lock", 0.01) for _ in range(2))
    with lock.held():
        assert since.count(name) == 0, "a lock that is free is not waited for"
        with pytest.raises(Exception, match="another process is still busy"), other.held():
            pass
    lock.close()
    other.close()
    assert since.count(name) == 1


def test_a_worker_goes_on_where_one_before_it_ended() -> None:
    shared = Figures()
    layout = {("a",): 1, ("b", "x"): WIDTH}
    for part in (3, 5, 3):
        shared.take(part)
        shared.lay_out(layout)
        shared.add(("a",))
        shared.took(("b", "x"), 0.0007)
    assert list(shared.counted("a")) == [((), 3)]
    ((key, spread),) = shared.spread("b")
    assert key == ("x",) and sum(spread.counts) == spread.counts[1] == 3
    shared.take(PARTS - 1)
    shared.lay_out({("b", "x"): WIDTH, ("a",): 1})
    assert list(shared.counted("a")) == [((), 0)], "counted by another layout"


def test_every_worker_tells_what_all_have_counted_also_one_that_was_killed(tmp_path: Path) -> None:
    route = took("GET", "/v1/members", "2xx")
    with serving(tmp_path, LEDGER_WORKERS="2") as server, ExitStack() as stack:

        def callers() -> list[Client]:
            """As many connections as both workers take some of."""
            return [stack.enter_context(server.client()) for _ in range(12)]

        def told(clients: list[Client]) -> set[float]:
            return {figures(client.text("/metrics"))[route] for client in clients}

        workers, clients = server.booted(2), callers()
        assert [client.get("/v1/members").status for client in clients] == [200] * 12
        assert told(clients) == {12}
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not {*workers} & {*server.workers()}, "both to be gone")
        server.booted(2)
        clients = callers()
        assert told(clients) == {12}
        assert clients[0].get("/v1/members").status == 200
        assert told(clients) == {13}
