"""Every command is carried out once, whoever repeats it, overtakes it or comes at once with it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from domain.actor import Actor, acting
from domain.errors import Invalid, KeyReused, LedgerError, NotFound, NotReady, Refused, Stale
from service.application import Ledger
from service.commands.carrying import Answer
from service.commands.events import EVENTS
from service.projections.choosing import Selection
from service.requests import Call
from tests.service.helpers import (
    DISTRICT,
    a_lead,
    call,
    check_projections,
    follow,
    journeys,
    keep_the_proof,
    ledger_in,
    processes,
    register,
    somebody,
    somebody_erased,
    tip,
    whole_log,
)


def topics(ledger: Ledger) -> list[str]:
    """What was recorded, in order."""
    return [event.topic for event in whole_log(ledger)]


def retire(ledger: Ledger, member: UUID, by: Call | None = None, on: str = "2025-06-30") -> Answer:
    """The member's term ended."""
    with acting(somebody()):
        return ledger.retire_member(member, by or call(), {"occurred_on": on})


def negotiate(ledger: Ledger, lead: UUID, by: Call | None = None, unit: str = "商务局") -> Answer:
    """Talks began."""
    with acting(somebody()):
        facts = {"responsible_unit": unit, "occurred_on": "2025-04-02"}
        return ledger.open_negotiation(lead, by or call(), facts)


def pursue(ledger: Ledger, lead: UUID, by: Call | None = None) -> Answer:
    """The verdict that, said twice, changes nothing."""
    with acting(somebody()):
        return ledger.screen(lead, by or call(), {"verdict": "pursue", "occurred_on": "2025-03-20"})


# Idempotency keys


Command = Callable[[Ledger, Call], Answer]
KEYED: dict[str, Command] = {
    "register": lambda ledger, by: register(ledger, "new", by=by),
    "tip": lambda ledger, by: tip(ledger, first_of(ledger, "member"), by=by),
    "follow-up": lambda ledger, by: follow(ledger, first_of(ledger, "lead"), by=by),
    "retire": lambda ledger, by: retire(ledger, first_of(ledger, "member"), by),
    "no-op": lambda ledger, by: pursue(ledger, first_of(ledger, "lead"), by),
}


def first_of(ledger: Ledger, kind: str) -> UUID:
    """The first member or lead of the log."""
    return next(
        UUID(str(event.originator_id))
        for event in whole_log(ledger)
        if event.topic in (f"{kind}.registered", f"{kind}.tipped")
    )


@pytest.mark.parametrize("command", KEYED.values(), ids=KEYED)
def test_the_same_key_and_request_answers_again_and_records_nothing(
    tmp_path: Path, command: Command
) -> None:
    with ledger_in(tmp_path) as ledger:
        pursue(ledger, a_lead(ledger))
        first = command(ledger, call("k"))
        recorded = topics(ledger)
        assert recorded[-1] == "request.answered"
        assert (first.position, first.replayed) == (len(recorded), False)
        for _ in range(2):
            again = command(ledger, call("k"))
            assert (again.subject, again.version) == (first.subject, first.version)
            assert (again.status, again.body) == (first.status, first.body)
            assert (again.replayed, again.position) == (True, None)
        assert topics(ledger) == recorded
        # The subject has moved on: the answer is still the first one.
        if first.status == 200 and recorded[-2].startswith("lead."):
            follow(ledger, first.subject, "后来的")
            assert command(ledger, call("k")).body == first.body
    with ledger_in(tmp_path) as restarted:
        again = command(restarted, call("k"))
        assert (again.version, again.body, again.replayed) == (first.version, first.body, True)


def test_a_key_of_another_request_is_refused_and_records_nothing(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        follow(ledger, lead, by=call("k", "d1"))
        recorded = topics(ledger)
        with pytest.raises(KeyReused, match="'k' came before with another request"):
            follow(ledger, lead, by=call("k", "d2"))
        with pytest.raises(KeyReused):
            register(ledger, "other", by=call("k", "d3"))
        assert topics(ledger) == recorded
    with ledger_in(tmp_path) as restarted, pytest.raises(KeyReused):
        follow(restarted, lead, by=call("k", "d2"))


def test_streams_that_were_read_ahead_are_overtaken_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    """Whoever wrote between the reading and the command: it is decided on what stands."""
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)

        def as_it_is(key: str) -> Call:
            by = call(key)
            ids = (lead, by.claim_id)
            return replace(by, ahead={id: ledger.recorder.select_events(id) for id in ids if id})

        early, same, late = as_it_is("k"), as_it_is("k"), as_it_is("late")
        follow(ledger, lead, "别人先记的")
        assert follow(ledger, lead, by=early).version == 3
        again = follow(ledger, lead, by=same)
        assert (again.version, again.replayed) == (3, True)
        with acting(somebody()):
            told = {"outcome": "declined", "reason": "不来了", "occurred_on": "2025-04-20"}
            ledger.close_lead(lead, call(), told)
        with pytest.raises(Refused):
            follow(ledger, lead, by=late)
        assert [event.topic for event in whole_log(ledger) if event.originator_id == lead] == [
            "lead.tipped",
            "lead.followed_up",
            "lead.followed_up",
            "lead.closed",
        ]


def test_the_keys_of_two_tokens_do_not_collide(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        one = follow(ledger, lead, by=call("k", token="t1"))
        two = follow(ledger, lead, by=call("k", token="t2", digest="d2"))
        three = follow(ledger, lead, by=call("k2", token="t1"))
        assert [one.version, two.version, three.version] == [2, 3, 4]
        assert not two.replayed and not three.replayed


def test_a_refused_command_does_not_use_its_key_up(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        with pytest.raises(Refused):
            negotiate(ledger, lead, call("k"), unit="")
        assert topics(ledger) == ["member.registered", "lead.tipped"]
        assert negotiate(ledger, lead, call("k", "d2")).version == 2


def test_a_command_that_changes_nothing_records_only_its_key(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        pursue(ledger, lead)
        recorded = topics(ledger)
        answer = pursue(ledger, lead)
        assert (answer.version, answer.position) == (2, None)
        assert topics(ledger) == recorded
        answer = pursue(ledger, lead, call("k"))
        assert (answer.version, answer.position) == (2, len(recorded) + 1)
        assert topics(ledger) == [*recorded, "request.answered"]
        check_projections(ledger)


def test_a_replay_comes_before_the_question_which_version_the_caller_knows(
    tmp_path: Path,
) -> None:
    """The first try was carried out, so the repeated one knows a version that is old by now."""
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        first = follow(ledger, lead, by=call("k", known=1))
        again = follow(ledger, lead, by=call("k", known=1))
        assert (again.version, again.replayed) == (first.version, True)


def test_sixteen_threads_with_one_key_record_once(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ThreadPoolExecutor(16) as threads:
        member = register(ledger).subject
        start = Barrier(16)

        def one(_: int) -> Answer:
            start.wait()
            return tip(ledger, member, by=call("k"))

        answers = list(threads.map(one, range(16)))
        assert topics(ledger) == ["member.registered", "lead.tipped", "request.answered"]
        assert len({answer.subject for answer in answers}) == 1
        assert all(answer.body == answers[0].body for answer in answers)
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 15


ROUNDS = 8


def tip_at_once(barrier: Any, folder: Path, member: UUID) -> list[tuple[UUID, int, bool]]:
    """In each round the same tip with the same key as every other process."""
    told = []
    with ledger_in(folder, lock_timeout=30) as ledger:
        for turn in range(ROUNDS):
            barrier.wait()
            answer = tip(ledger, member, by=call(f"k{turn}"))
            told.append((answer.subject, answer.version, answer.replayed))
    return told


def test_eight_processes_with_one_key_record_once(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        told = processes(tip_at_once, *[(tmp_path, member)] * 8)
        assert topics(ledger).count("lead.tipped") == ROUNDS
        for turn in zip(*told, strict=True):
            assert len({(subject, version) for subject, version, _ in turn}) == 1
            assert [replayed for _, _, replayed in turn].count(False) == 1
        check_projections(ledger)


# Who comes second


def test_an_old_version_is_stale_and_told_what_happened_since(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        follow(ledger, lead, "第一次")
        follow(ledger, lead, "第二次", call(known=2))
        recorded = topics(ledger)
        with pytest.raises(Stale, match="You know version 1; the present one is 3") as stale:
            negotiate(ledger, lead, call(known=1))
        assert [event["version"] for event in stale.value.events] == [2, 3]
        assert [event["facts"]["result"] for event in stale.value.events] == ["第一次", "第二次"]
        assert [event["position"] for event in stale.value.events] == [3, 4]
        with pytest.raises(Stale) as stale:
            negotiate(ledger, lead, call(known=99))
        assert stale.value.events == []
        with pytest.raises(Stale):
            negotiate(ledger, lead, Call("t", "d", None, frozenset()))
        assert topics(ledger) == recorded
        two = Call("t", "d", None, frozenset({1, 3}))
        assert negotiate(ledger, lead, two).version == 4


def test_an_old_version_of_a_member_is_stale_too(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        retire(ledger, member, call(known=1))
        with pytest.raises(Stale, match="You know version 1; the present one is 2"):
            retire(ledger, member, call(known=1), on="2025-07-01")


WRITERS = 8
FOLLOW_UPS = 15


def follow_many(barrier: Any, folder: Path, lead: UUID, number: int) -> list[tuple[int, str]]:
    """Follow-ups as fast as may be; those that were carried out, with their version."""
    told = []
    with ledger_in(folder, lock_timeout=30) as ledger:
        barrier.wait()
        for turn in range(FOLLOW_UPS):
            text = f"{number}/{turn}"
            try:
                told.append((follow(ledger, lead, text).version, text))
            except NotReady:
                continue
    return told


def test_eight_processes_on_one_lead_lose_no_update(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        told = processes(follow_many, *[(tmp_path, lead, n) for n in range(WRITERS)])
        accepted = sorted(one for each in told for one in each)
        history = ledger.reads.history(lead)
        assert ledger.reads.lead(lead).version == len(accepted) + 1
        recorded = [(event["version"], event["facts"]["result"]) for event in history[1:]]
        assert recorded == accepted
        assert len(accepted) >= WRITERS * FOLLOW_UPS // 2, "hardly anything was carried out"
        check_projections(ledger)


def compete(barrier: Any, folder: Path, lead: UUID, version: int) -> str:
    """One of many who all know the same version."""
    with ledger_in(folder, lock_timeout=30) as ledger:
        barrier.wait()
        try:
            follow(ledger, lead, by=call(known=version))
        except Stale as stale:
            assert [event["version"] for event in stale.events] == [2]  # noqa: PT017
            return "stale"
        return "done"


def test_of_those_who_know_the_same_version_exactly_one_is_carried_out(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        told = processes(compete, *[(tmp_path, lead, 1)] * 6)
        assert sorted(told) == ["done", *["stale"] * 5]
        assert ledger.reads.lead(lead).version == 2


def register_at_once(barrier: Any, folder: Path) -> list[str]:
    """The same member numbers as every other process."""
    told = []
    with ledger_in(folder, lock_timeout=30) as ledger:
        for turn in range(ROUNDS):
            barrier.wait()
            try:
                told.append(f"{register(ledger, str(turn)).status}")
            except Refused as why:
                told.append(str(why))
    return told


def test_a_member_number_is_given_once_however_many_register_it_at_once(tmp_path: Path) -> None:
    told = processes(register_at_once, *[(tmp_path,)] * 6)
    for turn, answers in enumerate(zip(*told, strict=True)):
        refusal = f"Member number {turn} is taken in district {DISTRICT}."
        assert sorted(answers) == ["201", *[refusal] * 5]
    with ledger_in(tmp_path) as ledger:
        assert topics(ledger) == ["member.registered"] * ROUNDS


def test_a_step_of_the_stages_is_taken_once_however_many_take_it_at_once(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ThreadPoolExecutor(8) as threads:
        lead = a_lead(ledger)

        def one(_: int) -> str:
            try:
                return str(negotiate(ledger, lead).version)
            except Refused:
                return "refused"

        assert sorted(threads.map(one, range(8))) == ["2", *["refused"] * 7]
        assert topics(ledger).count("lead.negotiation_opened") == 1


# What is there, and what is not


def test_a_command_on_what_is_not_there_is_not_found_and_records_nothing(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        keyed = call("k")
        lead = tip(ledger, member, keyed).subject
        assert keyed.claim_id is not None
        recorded = topics(ledger)
        for no_lead in (uuid4(), member, keyed.claim_id):
            with pytest.raises(NotFound, match=f"There is no lead {no_lead}"):
                follow(ledger, no_lead)
        for no_member in (uuid4(), lead, keyed.claim_id):
            with pytest.raises(NotFound, match=f"There is no member {no_member}"):
                retire(ledger, no_member)
        for no_lead in (uuid4(), member, keyed.claim_id):
            facts = {"verdict": "duplicate", "reason": "x", "occurred_on": "2025-03-20"}
            with pytest.raises(Invalid, match="duplicate_of"), acting(somebody()):
                ledger.screen(lead, call(), {**facts, "duplicate_of": str(no_lead)})
        for nobody in (uuid4(), lead, keyed.claim_id):
            with pytest.raises(Invalid, match=f"There is no member {nobody}"):
                tip(ledger, nobody)
        assert topics(ledger) == recorded


def test_who_has_retired_tips_no_more_but_an_earlier_tip_may_still_be_entered(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        retire(ledger, member, on="2025-06-30")
        with pytest.raises(Invalid, match="retired on 2025-06-30"):
            tip(ledger, member, occurred_on="2025-07-01")
        assert tip(ledger, member, occurred_on="2025-06-30").version == 1


def test_a_retirement_recorded_by_another_worker_is_known_to_the_next_tip(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        member = register(other).subject
        assert tip(ledger, member, occurred_on="2025-06-29").version == 1
        retire(other, member, on="2025-06-30")
        with pytest.raises(Invalid, match="retired on 2025-06-30"):
            tip(ledger, member, occurred_on="2025-07-01")
        assert tip(ledger, member, occurred_on="2025-06-30").version == 1


def test_nothing_is_recorded_for_nobody(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        recorded = topics(ledger)
        facts = {"form": "visit", "result": "x", "occurred_on": "2025-04-01"}
        with pytest.raises(LookupError):
            ledger.follow_up(lead, call(), facts)
        assert topics(ledger) == recorded


def test_every_event_says_who_when_and_for_which_request(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        by = somebody()
        facts = {"form": "visit", "result": "x", "occurred_on": "2025-04-01", "note": "记"}
        with acting(by):
            ledger.follow_up(lead, call("k"), facts)
        for stored in whole_log(ledger)[-2:]:
            event: Any = ledger.mapper.to_domain_event(stored)
            assert (event.actor, event.request, event.timestamp) == (
                by.name,
                by.request,
                by.moment,
            )


def test_the_journeys_of_the_tests_cover_every_event(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        keep_the_proof(ledger)
        somebody_erased(ledger, "E-")
        assert set(topics(ledger)) == {event.TOPIC for event in EVENTS}


def test_an_answer_shows_what_a_read_shows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger)
        lead = tip(ledger, member.subject)
        for answer in (lead, pursue(ledger, lead.subject), negotiate(ledger, lead.subject)):
            shown = ledger.reads.history(lead.subject, answer.version - 1)[0]
            found = ledger.reads.lead_at(lead.subject, answer.version)
            assert found.version == answer.version
            assert orjson.loads(found.body) == answer.body
            assert shown["position"] == answer.position
        read = ledger.reads.member(member.subject)
        assert member.body.items() <= read.items()


def test_a_moment_on_the_full_second_is_shown_as_any_other(tmp_path: Path) -> None:
    """One in a million, and every one of an import that has no fractions."""
    moment = datetime(2025, 5, 1, 8, tzinfo=UTC)
    facts = {"form": "visit", "result": "x", "occurred_on": "2025-04-01"}
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        with acting(Actor("招商办", moment, "request-1")):
            told = ledger.follow_up(lead, call("k"), facts).body["recorded_at"]
            again = ledger.follow_up(lead, call("k"), facts).body["recorded_at"]
        read = orjson.loads(ledger.reads.lead(lead).body)["recorded_at"]
        shown = ledger.reads.history(lead)[1]["recorded_at"]
        assert [told, again, read, shown] == [told] * 4
        assert datetime.fromisoformat(told) == moment
        ledger.reads.catch_up.rebuild()
        assert orjson.loads(ledger.reads.lead(lead).body)["recorded_at"] == told


def test_every_read_is_plain_json(tmp_path: Path) -> None:
    """As the API writes it: orjson takes no key that is a mere subclass of str."""
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        lead = tip(ledger, member).subject
        reads = ledger.reads
        selection, year = Selection(), (date(2025, 1, 1), date(2025, 12, 31))
        answers: dict[str, object] = {
            "member": reads.member(member),
            "members": reads.members(0, 10, None, None),
            "history": reads.history(lead),
            "pipeline": reads.pipeline(selection, *year, None),
            "movements": reads.movements(selection, *year, None),
            "series": reads.series(selection, *year, None, "month"),
            "times": reads.times(selection, *year),
        }
        refused = []
        for name, answer in answers.items():
            try:
                orjson.dumps(answer)
            except TypeError as why:
                refused.append(f"{name}: {why}")
        assert refused == []


def test_a_refusal_of_any_kind_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        before = whole_log(ledger)
        wrong: list[dict[str, Any]] = [
            {"form": "visit", "result": "x", "occurred_on": "2999-01-01"},
            {"form": "visit", "result": "x", "occurred_on": "2025-02-30"},
            {"form": "visit", "result": "", "occurred_on": "2025-04-01"},
            {"form": "none", "result": "x", "occurred_on": "2025-04-01"},
        ]
        for facts in wrong:
            with pytest.raises(LedgerError), acting(somebody()):
                ledger.follow_up(lead, call("k"), facts)
        assert whole_log(ledger) == before
