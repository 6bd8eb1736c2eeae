"""Writers that load a service while something is done to it, and what they were answered."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from service.application import Ledger
from tests.faults.serving import PATIENCE, Client, Server, until
from tests.service.helpers import check_projections, whole_log

# What the disk, or another's turn, keeps from being done.
LATER = 503


@dataclass
class Writer:
    """One that writes to a lead of its own, and knows what became of each write.

    Every third write is a tip that is ruled a duplicate of that lead: one command that records
    events of two leads.
    """

    server: Server
    token: str
    member: str
    name: str
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    lead: str = ""
    # The one that was sent and not answered: it may have been recorded.
    unsure: str | None = None
    # What ended its connection, if anything did.
    broke: str = ""
    refused: int = 0
    # When it was last acknowledged, and the longest that it ever waited for that, in seconds.
    answered: float = 0.0
    longest: float = 0.0
    # Each on a connection of its own.
    fresh: bool = False

    def write_until(self, over: Callable[[], bool]) -> None:
        """Write; ends when the connection breaks as well."""
        with self.server.client(self.token) as client:
            try:
                while not over():
                    self.write(client)
                    if self.fresh:
                        client.close()
            except ConnectionError as why:
                self.broke = f"{self.unsure}: {why}"

    def write(self, client: Client) -> None:
        """One write, with a key of its own: again, if it is the one that was not answered."""
        key = self.unsure or f"{self.name}-{len(self.acknowledged)}"
        self.unsure = key
        asked = time.monotonic()
        lead, reply = self._sent(client, key)
        if reply.status == LATER:
            # It may have been recorded all the same: the same key tells.
            self.refused += 1
            time.sleep(0.02)
            return
        assert reply.status in (200, 201), (key, reply.body)
        self.acknowledged.append((lead, key))
        self.unsure = None
        self.longest = max(self.longest, time.monotonic() - (self.answered or asked))
        self.answered = time.monotonic()

    def _sent(self, client: Client, key: str) -> tuple[str, Any]:
        if not self.lead:
            reply = client.tip(self.member, key, Idempotency_Key=key)
            if reply.status != LATER:
                self.lead = reply.body["id"]
            return self.lead, reply
        if not key.endswith("3"):
            return self.lead, client.follow(self.lead, key, Idempotency_Key=key)
        tipped = client.tip(self.member, f"{key}-tip", Idempotency_Key=f"{key}-tip")
        if tipped.status == LATER:
            return "", tipped
        duplicate = tipped.body["id"]
        ruling = {"verdict": "duplicate", "duplicate_of": self.lead, "reason": key}
        facts = {**ruling, "occurred_on": "2025-03-19"}
        path = f"/v1/leads/{duplicate}/screening"
        return duplicate, client.post(path, facts, Idempotency_Key=key)


@contextmanager
def writing(writers: list[Writer]) -> Iterator[Event]:
    """They write until the end; whatever one of them met is raised. Within, all have begun."""
    over = Event()
    before = {writer.name: len(writer.acknowledged) for writer in writers}
    with ThreadPoolExecutor(len(writers)) as pool:
        working: list[Future[None]] = [pool.submit(w.write_until, over.is_set) for w in writers]
        try:
            until(
                lambda: (
                    all(len(w.acknowledged) > before[w.name] for w in writers)
                    or any(one.done() for one in working)
                ),
                "every writer to be answered once",
            )
            yield over
        finally:
            over.set()
        for one in working:
            one.result(PATIENCE)


def check_told(ledger: Ledger, writers: list[Writer]) -> int:
    """What was acknowledged is there, once; what was not is there whole or not at all; and the
    projections are what the log makes them. How many events there are."""
    stored = whole_log(ledger)
    assert [one.id for one in stored] == list(range(1, len(stored) + 1)), "a position is missing"
    log: list[Any] = [ledger.mapper.to_domain_event(one) for one in stored]
    told = Counter(
        (f"{event.originator_id}", key) for event in log if (key := _key(event)) is not None
    )
    acknowledged = Counter(one for writer in writers for one in writer.acknowledged)
    unsure = {writer.unsure for writer in writers if writer.unsure is not None}
    lost = acknowledged - told
    assert not lost, f"acknowledged and lost: {lost}"
    assert set(told.values()) <= {1}, f"recorded twice: {[k for k, n in told.items() if n > 1]}"
    more = {key for _, key in told - acknowledged}
    # The tip before a ruling is a command of its own.
    assert {key.removesuffix("-tip") for key in more} <= unsure | _ruled(writers), more
    ruled = sum(event.TOPIC == "lead.screened" for event in log)
    joined = sum(event.TOPIC == "lead.members_joined" for event in log)
    assert ruled == joined, "half of a command was recorded"
    check_projections(ledger)
    return len(log)


def _ruled(writers: list[Writer]) -> set[str]:
    """The keys of rulings, each of which comes after a tip."""
    return {key for writer in writers for _, key in writer.acknowledged if key.endswith("3")}


def _key(event: Any) -> str | None:
    """What tells one write from the others, in the event that it made."""
    found = {
        "lead.tipped": "title",
        "lead.followed_up": "result",
        "lead.screened": "reason",
    }.get(event.TOPIC)
    key: str | None = getattr(event, found) if found else None
    return key


def go_on(writers: list[Writer], more: int = 3) -> None:
    """Return when each of them was acknowledged so many times more."""
    goals = [len(writer.acknowledged) + more for writer in writers]
    until(
        lambda: all(len(w.acknowledged) >= goal for w, goal in zip(writers, goals, strict=True)),
        "every writer to be answered again",
    )


def begin(server: Server, count: int, token: str = "", *, fresh: bool = False) -> list[Writer]:
    """Writers for a new member."""
    token = token or server.token
    with server.client(token) as client:
        member = client.member()
    return [Writer(server, token, member, f"w{n}", fresh=fresh) for n in range(count)]
