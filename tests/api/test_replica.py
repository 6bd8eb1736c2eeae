"""A standby answers reads: what it has, what is waited for, and what is read without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.postgres import Postgres
from tests import postgres as servers
from tests.api.office import DISTRICT, Office, open_office, problem_of, settings_in
from tests.faults.serving import free_port, until

HERE = "SELECT coalesce(min(position), 0) FROM ledger_projections.bookmarks"


@dataclass
class Copied:
    """An office on a primary, whose reads a standby of that answers."""

    office: Office
    standby: servers.Server
    there: Postgres

    def pause(self) -> None:
        """From now on nothing new is seen there."""
        servers.rows(self.there, "SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state()"
        until(lambda: servers.rows(self.there, paused) == [("paused",)], "the standby to pause")

    def resume(self) -> None:
        """It goes on."""
        servers.rows(self.there, "SELECT pg_wal_replay_resume()")

    def come_to(self, position: int) -> None:
        """Wait until it has come there; somebody must have read it where it is written."""
        until(
            lambda: servers.rows(self.there, HERE)[0][0] >= position,
            f"the standby to come to {position}",
        )

    def write(self, number: str = "QJP-001") -> int:
        """Register a member, and read it; its position."""
        self.office.officer.register(number)
        position = self.office.position
        self.office.ledger.reads.position()
        return position

    def read(self, **headers: str) -> tuple[list[str], int]:
        """The members' numbers, and which position that reflects."""
        answer = self.office.officer.get("/v1/members", **headers)
        assert answer.status_code == 200, answer.text
        assert answer.json
        numbers = [one["number"] for one in answer.json["items"]]
        return numbers, int(answer.headers["Ledger-Position"])

    @property
    def complaint(self) -> str:
        """What readiness tells of it."""
        replica = self.office.ledger.replica
        assert replica
        return replica.complaint()


@pytest.fixture(scope="module")
def primary() -> Iterator[servers.Server]:
    """A server that can have standbys."""
    with servers.running({**servers.FAST, **servers.SENDING}, free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def standby(primary: servers.Server) -> Iterator[servers.Server]:
    """A standby of it, which no test stops."""
    with servers.standby_of(primary, free_port()) as found:
        yield found


@pytest.fixture
def copied(tmp_path: Path, primary: servers.Server, standby: servers.Server) -> Iterator[Copied]:
    """An office whose replica answers."""
    with _copied(tmp_path, primary, standby) as found:
        yield found
        found.resume()


@pytest.fixture
def fragile(tmp_path: Path, primary: servers.Server) -> Iterator[Copied]:
    """The same with a standby of its own, which the test may stop."""
    with (
        servers.standby_of(primary, free_port()) as standby,
        _copied(tmp_path, primary, standby) as found,
    ):
        yield found


@contextmanager
def _copied(folder: Path, primary: servers.Server, standby: servers.Server) -> Iterator[Copied]:
    name = f"office{free_port()}"
    url = f"postgresql://ledger@127.0.0.1:{standby.port}/{name}"
    told = replace(settings_in(folder), postgres=primary.make_database(name), position_timeout=0.3)
    office = open_office(replace(told, replica=Postgres.standby_at(url)))
    found = Copied(office, standby, standby.at(name, target_session_attrs="any"))
    try:
        # Asked where it is no database yet, or one without tables, it would only say so.
        _replayed(primary, standby)
        found.come_to(found.write("QJP-000"))
        yield found
    finally:
        office.close()
        primary.drop_database(name)


def _replayed(primary: servers.Server, standby: servers.Server) -> None:
    """Wait until the standby has everything that the primary has now."""
    [(there,)] = servers.rows(primary.at("postgres"), "SELECT pg_current_wal_lsn()::text")
    here = standby.at("postgres", target_session_attrs="any")
    reached = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    until(lambda: servers.rows(here, reached, there)[0][0], "the standby to have the database")


def test_a_standby_answers_what_it_has(copied: Copied) -> None:
    before = copied.office.position
    copied.come_to(before)
    copied.pause()
    copied.write()
    # The client asks for no more than it knows: only the standby would answer with no more.
    assert copied.read(If_Ledger_Position=f"{before}") == (["QJP-000"], before)
    assert copied.complaint == ""
    copied.resume()


def test_who_names_no_position_sees_everything_that_was_answered(copied: Copied) -> None:
    copied.pause()
    last = copied.write()
    assert copied.read() == (["QJP-000", "QJP-001"], last)
    copied.resume()
    copied.come_to(last)
    assert copied.read() == (["QJP-000", "QJP-001"], last)


def test_a_position_that_is_not_there_yet_is_waited_for(copied: Copied) -> None:
    copied.pause()
    last = copied.write()
    answer = copied.office.officer.get("/v1/members", If_Ledger_Position=f"{last}")
    told = problem_of(answer, 503, "not-ready")
    assert f"not to {last} yet" in told["detail"]
    assert answer.headers["Retry-After"] == "1"
    copied.resume()
    copied.come_to(last)
    assert copied.read(If_Ledger_Position=f"{last}") == (["QJP-000", "QJP-001"], last)
    past = copied.office.officer.get("/v1/members", If_Ledger_Position=f"{last + 1}")
    problem_of(past, 422, "invalid")


def test_what_was_known_later_than_the_standby_knows_is_told_right(copied: Copied) -> None:
    member = copied.office.officer.register("QJP-002")["id"]
    first = copied.office.officer.tip(member)
    copied.come_to(before := copied.write())
    copied.pause()
    second = copied.office.officer.tip(member)
    last = copied.office.position
    found = copied.office.officer.get(
        f"/v1/leads?known_at={last}&sort=recorded", If_Ledger_Position=f"{before}"
    )
    assert found.json
    assert [one["id"] for one in found.json["items"]] == [first["id"], second["id"]]
    copied.resume()


def test_later_pages_are_of_the_moment_of_the_first(copied: Copied) -> None:
    officer = copied.office.officer
    member = officer.register("QJP-002")["id"]
    leads = [officer.tip(member)["id"]]
    copied.come_to(before := copied.write())
    copied.pause()
    leads += [officer.tip(member)["id"] for _ in range(2)]
    first = officer.ok("/v1/leads?limit=2&sort=recorded")
    query = f"/v1/leads?limit=2&sort=recorded&cursor={first['next']}"
    second = officer.ok(query, If_Ledger_Position=f"{before}")
    assert [one["id"] for page in (first, second) for one in page["items"]] == leads
    copied.resume()


def test_an_erased_person_is_gone_at_once(copied: Copied) -> None:
    officer = copied.office.officer
    member = officer.register("QJP-002")["id"]
    lead = officer.tip(member, contact={"name": "李四", "phone": "13800138000"})
    copied.come_to(before := copied.write())
    copied.pause()
    subject = lead["contact"]["subject"]
    copied.office.one("admin").ok(f"/v1/subjects/{subject}/erasure", {"reason": "本人要求"})
    answer = officer.get(f"/v1/leads/{lead['id']}", If_Ledger_Position=f"{before}")
    assert int(answer.headers["Ledger-Position"]) == before
    assert "李" not in answer.text
    copied.resume()


def test_every_read_that_may_go_there_is_answered_alike(fragile: Copied) -> None:
    officer = fragile.office.officer
    member = officer.register("QJP-002")["id"]
    lead = officer.tip(member)["id"]
    fragile.office.one("admin").ok("/v1/reports/annual/2025", {})
    fragile.come_to(last := fragile.write())
    report = officer.ok("/v1/reports")["items"][0]["id"]
    asked = [
        *(f"/v1/pipeline{more}" for more in ("", "/movements", "/series?step=month", "/times")),
        *(f"/v1/pipeline/{more}" for more in ("credit", "groups?by=sector")),
        *("/v1/members", f"/v1/members/{member}", "/v1/worklist", "/v1/leads"),
        *(f"/v1/leads/{lead}", f"/v1/leads/{lead}?version=1", f"/v1/leads/{lead}/history"),
        *("/v1/reports/annual/2025", "/v1/reports/monthly/2025-03", "/v1/reports/weekly/2025-W12"),
        *("/v1/reports", f"/v1/reports/{report}", f"/v1/reports/{report}/drift"),
        f"/v1/leads?known_at={last}&district={DISTRICT}",
    ]
    there = [officer.ok(path) for path in asked]
    used = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leadledger'"
    assert servers.rows(fragile.there, used)[0][0] >= 1
    fragile.standby.stop()
    assert [officer.ok(path) for path in asked] == there
    assert "cannot be asked" in fragile.complaint


def test_without_the_standby_the_primary_answers_and_with_it_again_the_standby(
    fragile: Copied,
) -> None:
    before = fragile.office.position
    fragile.standby.stop()
    last = fragile.write()
    assert fragile.read(If_Ledger_Position=f"{before}") == (["QJP-000", "QJP-001"], last)
    ready = fragile.office.officer.ok("/readyz")
    assert "cannot be asked" in ready["detail"]
    fragile.standby.start()
    until(lambda: fragile.complaint == "", "the standby to be asked again")
    fragile.come_to(last)
    fragile.pause()
    fragile.write("QJP-002")
    assert fragile.read(If_Ledger_Position=f"{last}") == (["QJP-000", "QJP-001"], last)
    fragile.resume()


def test_a_standby_that_is_promoted_is_not_read_any_more(fragile: Copied) -> None:
    before = fragile.office.position
    fragile.come_to(before)
    assert fragile.read(If_Ledger_Position=f"{before}") == (["QJP-000"], before)
    fragile.standby.run("pg_ctl", "--wait", "promote")
    last = fragile.write()
    assert fragile.read(If_Ledger_Position=f"{before}") == (["QJP-000", "QJP-001"], last)
    assert "is no standby any more" in fragile.complaint


def test_a_standby_of_another_ledger_is_not_read(
    copied: Copied, primary: servers.Server, tmp_path: Path
) -> None:
    name = f"other{free_port()}"
    other = open_office(
        replace(settings_in(tmp_path / "other"), postgres=primary.make_database(name))
    )
    other.officer.register("QJP-777")
    other.ledger.reads.position()
    there = copied.standby.at(name, target_session_attrs="any")
    until(lambda: servers.rows(there, HERE)[0][0] >= 1, "the standby to have the other ledger")
    settings = copied.office.ledger.settings
    wrong = Postgres.standby_at(f"postgresql://ledger@127.0.0.1:{copied.standby.port}/{name}")
    mistaken = open_office(replace(settings, replica=wrong))
    answer = mistaken.officer.ok("/v1/members", If_Ledger_Position="1")
    assert [one["number"] for one in answer["items"]] == ["QJP-000"]
    replica = mistaken.ledger.replica
    assert replica and "another event at position 1 than ours" in replica.complaint()
    mistaken.close()
    other.close()
    primary.drop_database(name)
