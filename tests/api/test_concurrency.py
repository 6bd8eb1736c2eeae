"""Four workers, sixteen clients at once: nothing is lost, nothing doubled, nothing seen late."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest

from tests.faults.serving import Client, Reply, Server, serving

CLIENTS = 16
DAY = "2025-04-01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, with four workers on an empty ledger."""
    with serving(tmp_path_factory.mktemp("served"), LEDGER_WORKERS="4") as started:
        yield started


@pytest.fixture(scope="module")
def member(server: Server) -> str:
    """A member to tip."""
    with server.client() as client:
        return client.member()


def at_once(
    server: Server, work: Callable[[Client, int], Any], clients: int = CLIENTS
) -> list[Any]:
    """What ``work`` returns for each of the clients, which all begin at the same moment."""
    barrier = Barrier(clients)

    def begin(number: int) -> Any:
        with server.client() as client:
            # A connection that is open already: the requests themselves arrive at once.
            client.get("/healthz")
            barrier.wait()
            return work(client, number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(begin, range(clients)))


def repeating(ask: Callable[..., Reply], *what: Any, **headers: str) -> Callable[..., Reply]:
    """Work that is the same request for every client."""

    def work(client: Client, _number: int) -> Reply:
        return ask(client, *what, **headers)

    return work


def a_lead(server: Server, member: str) -> str:
    """The id of a new lead."""
    with server.client() as client:
        reply = client.tip(member)
        assert reply.status == 201, reply.body
        found: str = reply.body["id"]
        return found


def test_hammering_one_lead_loses_no_update(server: Server, member: str) -> None:
    lead = a_lead(server, member)

    def hammer(client: Client, number: int) -> list[tuple[int, int]]:
        replies = [client.follow(lead, f"{number}-{at}") for at in range(12)]
        return [(reply.status, reply.body.get("version", 0)) for reply in replies]

    told = [answer for answers in at_once(server, hammer) for answer in answers]
    assert Counter(status for status, _ in told) == {200: 12 * CLIENTS}
    versions = sorted(version for _, version in told)
    assert versions == list(range(2, 12 * CLIENTS + 2)), "two commands made one version"
    with server.client() as client:
        assert client.get(f"/v1/leads/{lead}").body["version"] == 12 * CLIENTS + 1
        history = client.get(f"/v1/leads/{lead}/history").body["items"]
    results = {event["facts"]["result"] for event in history[1:]}
    assert results == {f"{number}-{at}" for number in range(CLIENTS) for at in range(12)}


def test_of_those_who_know_the_same_version_one_wins_and_the_others_are_told_what_happened(
    server: Server, member: str
) -> None:
    lead = a_lead(server, member)

    def guarded(client: Client, number: int) -> int:
        done = 0
        for at in range(6):
            version = client.get(f"/v1/leads/{lead}").body["version"]
            reply = client.follow(lead, f"{number}-{at}", If_Match=f'"{version}"')
            assert reply.status in (200, 412), reply.body
            if reply.status == 412:
                missed = [event["version"] for event in reply.body["events"]]
                assert missed == list(range(version + 1, version + 1 + len(missed)))
                assert missed, "stale, but nothing happened since"
            else:
                assert reply.body["version"] == version + 1
                done += 1
        return done

    accepted = sum(at_once(server, guarded))
    with server.client() as client:
        assert client.get(f"/v1/leads/{lead}").body["version"] == accepted + 1


def test_a_read_after_a_write_sees_it_on_every_connection(server: Server, member: str) -> None:
    leads = [a_lead(server, member) for _ in range(CLIENTS)]

    def write_and_read(client: Client, number: int) -> None:
        with ExitStack() as stack:
            # Eight more connections, which the kernel spreads over the workers.
            others = [stack.enter_context(server.client()) for _ in range(8)]
            for at in range(6):
                lead = leads[(number + at) % CLIENTS]
                wrote = client.follow(lead, f"{number}-{at}")
                assert wrote.status == 200, wrote.body
                for other in others:
                    read = other.get(f"/v1/leads/{lead}")
                    assert read.body["version"] >= wrote.body["version"]
                    assert read.position >= wrote.position
                window = "from=2025-01-01&to=2025-12-31"
                seen = others[at].get(f"/v1/pipeline?{window}")
                assert seen.body["position"] >= wrote.position
                assert seen.body["balanced"] is True
                found = others[-at - 1].get("/v1/leads?limit=200&sort=-recorded").body["items"]
                (listed,) = [row for row in found if row["id"] == lead]
                assert listed["version"] >= wrote.body["version"]

    at_once(server, write_and_read)


def test_many_tips_at_once_are_each_counted_once(server: Server, member: str) -> None:
    window = "/v1/pipeline?from=2025-01-01&to=2025-12-31"
    with server.client() as client:
        before = client.get(window).body["tips"]

    def tips(client: Client, number: int) -> list[str]:
        return [client.tip(member, f"{number}-{at}").body["id"] for at in range(6)]

    ids = [lead for leads in at_once(server, tips) for lead in leads]
    assert len(set(ids)) == 6 * CLIENTS
    with server.client() as client:
        after = client.get(window).body
    assert after["tips"] == before + 6 * CLIENTS
    assert sum(stage["standing"]["count"] for stage in after["stages"]) == after["tips"]


def check_one_answer(replies: list[Reply], status: int) -> None:
    """All answers are the first one's; exactly one says that it was the first."""
    assert Counter(reply.status for reply in replies) == {status: CLIENTS}, [
        reply.body for reply in replies if reply.status != status
    ]
    first = [reply for reply in replies if "idempotent-replay" not in reply.headers]
    assert len(first) == 1
    assert all(reply.body == first[0].body for reply in replies)
    assert {reply.headers["etag"] for reply in replies} == {first[0].headers["etag"]}


def test_a_repeated_answer_says_a_position_at_which_it_was_recorded_already(
    server: Server, member: str
) -> None:
    for at in range(4):
        key = f"position-{at}"
        replies = at_once(server, repeating(Client.tip, member, Idempotency_Key=key))
        (first,) = [r.position for r in replies if "idempotent-replay" not in r.headers]
        assert [r.position for r in replies if r.position < first] == []


def test_a_tip_sent_sixteen_times_at_once_with_one_key_is_one_tip(
    server: Server, member: str
) -> None:
    for at in range(4):
        title, key = f"同一个项目{at}", f"tip-{at}"
        replies = at_once(server, repeating(Client.tip, member, title, Idempotency_Key=key))
        check_one_answer(replies, 201)
        assert len({reply.headers["location"] for reply in replies}) == 1
        with server.client() as client:
            found = client.get("/v1/leads?limit=200&sort=-recorded").body["items"]
        assert [row["title"] for row in found].count(title) == 1


# What cannot be carried out twice, sent as a client that repeats itself sends it.
ONCE: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("negotiation", {"responsible_unit": "开发区", "occurred_on": DAY}, {}),
    (
        "follow-ups",
        {"form": "visit", "result": "去了", "occurred_on": DAY},
        {"If_Match": '"1"'},
    ),
    ("closure", {"outcome": "declined", "reason": "没有用地", "occurred_on": DAY}, {}),
]


@pytest.mark.parametrize(("path", "body", "headers"), ONCE, ids=[path for path, _, _ in ONCE])
def test_a_command_sent_sixteen_times_at_once_with_one_key_is_answered_alike_to_all(
    server: Server, member: str, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    # Many rounds: what goes wrong here goes wrong within a millisecond.
    for at in range(15):
        lead = a_lead(server, member)
        sent = {**headers, "Idempotency_Key": f"{path}-{at}"}
        replies = at_once(server, repeating(Client.post, f"/v1/leads/{lead}/{path}", body, **sent))
        check_one_answer(replies, 200)
        with server.client() as client:
            assert client.get(f"/v1/leads/{lead}").body["version"] == 2


def test_a_member_registered_sixteen_times_at_once_with_one_key_is_one_member(
    server: Server,
) -> None:
    for at in range(4):
        facts = {"number": f"QJP-1{at}", "name": "李委员", "district": "320812"}
        key = f"member-{at}"
        replies = at_once(server, repeating(Client.post, "/v1/members", facts, Idempotency_Key=key))
        check_one_answer(replies, 201)


def test_one_number_registered_by_sixteen_at_once_is_one_member(server: Server) -> None:
    facts = {"number": "QJP-099", "name": "李委员", "district": "320812"}
    replies = at_once(server, lambda client, _: client.post("/v1/members", facts))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: CLIENTS - 1}


def test_two_hundred_clients_that_stall_in_mid_request_do_not_stop_the_others(
    server: Server, member: str
) -> None:
    lead = a_lead(server, member)
    begun = [
        b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + server.token.encode() + b"\r\nContent-Length: 100\r\n\r\n{",
        b"GET /v1/leads HTTP/1.1\r\nHost: x\r\nAuthor",
    ]
    with ExitStack() as stack:
        for number in range(200):
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            stalled.sendall(begun[number % 2])

        def work(client: Client, number: int) -> set[int]:
            replies = [client.follow(lead, f"{number}-{at}") for at in range(3)]
            replies += [client.get(f"/v1/leads/{lead}") for _ in range(3)]
            return {reply.status for reply in replies}

        assert at_once(server, work) == [{200}] * CLIENTS


def test_the_server_complained_of_nothing(server: Server) -> None:
    assert "Traceback" not in server.complained
