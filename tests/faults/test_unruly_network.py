"""Requests that come twice, late, or in another order, and answers that are lost on their way."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.serving import Client, Reply, serving
from tests.network import unruly
from tests.service.helpers import check_projections, ledger_in

pytestmark = pytest.mark.fault

WRITERS, WRITES = 6, 40


def insist(client: Client, lead: str, result: str, **headers: str) -> Reply:
    """Ask until an answer comes, each time on a connection of its own."""
    while True:
        try:
            return client.follow(lead, result, Idempotency_Key=result, **headers)
        except ConnectionError:
            continue
        finally:
            client.close()


def test_what_comes_twice_late_or_unanswered_is_recorded_once(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2") as server, unruly(server.port) as network:
        with server.client() as client:
            member = client.member()
            leads = [client.tip(member).body["id"] for _ in range(3)]

        def write(number: int) -> list[tuple[str, str, int]]:
            told = []
            with Client(network.server_address[1], server.token) as client:
                for nth in range(WRITES):
                    lead, result = leads[nth % 3], f"{number}-{nth}"
                    reply = insist(client, lead, result)
                    assert reply.status == 200, reply.body
                    told.append((lead, result, reply.body["version"]))
            return told

        with ThreadPoolExecutor(WRITERS) as pool:
            told = [one for each in pool.map(write, range(WRITERS)) for one in each]
        assert min(network.twice, network.late, network.lost) > 10, "the network was quiet"
        with server.client() as client:
            recorded = Counter(
                (lead, event["facts"]["result"], event["version"])
                for lead in leads
                for event in client.get(f"/v1/leads/{lead}/history").body["items"][1:]
            )
            # Each once, at the version that was answered, though asked for several times.
            assert recorded == Counter(told)
            again = client.follow(leads[0], "0-0", Idempotency_Key="0-0")
            assert again.headers["idempotent-replay"] == "true"
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


def test_what_overtakes_another_never_writes_over_what_it_did_not_know(tmp_path: Path) -> None:
    """Each says which version it knows: so of those that know one version, one is recorded."""
    with serving(tmp_path, LEDGER_WORKERS="2") as server, unruly(server.port, 2) as network:
        with server.client() as client:
            lead = client.tip(client.member()).body["id"]

        def write(number: int) -> Counter[int]:
            statuses = Counter[int]()
            with Client(network.server_address[1], server.token) as client:
                for version in range(1, 21):
                    reply = insist(client, lead, f"{number}-{version}", If_Match=f'"{version}"')
                    statuses[reply.status] += 1
            return statuses

        with ThreadPoolExecutor(WRITERS) as pool:
            answered = sum(pool.map(write, range(WRITERS)), Counter[int]())
        assert set(answered) <= {200, 412}, answered
        assert min(network.twice, network.late, network.lost) > 0, "the network was quiet"
        with server.client() as client:
            items = client.get(f"/v1/leads/{lead}/history").body["items"][1:]
        knew = [int(event["facts"]["result"].partition("-")[2]) for event in items]
        assert knew == [event["version"] - 1 for event in items]
        assert answered[200] == len(items)
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)
