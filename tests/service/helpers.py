"""What the service's tests share: a ledger on a real file, a few commands, real processes.

Processes come from multiprocessing's fork server, which has imported the service but never
opened a file: they are as separate as spawned ones, and start in milliseconds.
"""

import importlib
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from eventsourcing.persistence import Notification, StoredEvent

from domain.actor import Actor, acting, now
from domain.lead import Lead
from service.application import Ledger
from service.commands.carrying import Answer
from service.log_sqlite import SQLiteRecorder
from service.projections.store import ASIDE, metadata
from service.reports.asked import asked_for
from service.requests import Call
from service.settings import Settings
from tests.databases import database_for

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "tests.service.helpers"])
# How long a process may take before the test gives up; none comes near it.
PATIENCE = 60.0

DISTRICT = "320812"
MONEY = {"amount": "30", "unit": "亿元"}

SomeLedger = TypeVar("SomeLedger", bound=Ledger)


def settings_in(folder: Path, lock_timeout: float = 10.0) -> Settings:
    """Settings of a ledger in ``folder``."""
    return Settings(
        database=folder / "ledger.sqlite",
        bind="127.0.0.1",
        port=8000,
        workers=2,
        lock_timeout=lock_timeout,
        keeper_dir=None,
        checkpoint_every=600,
        checkpoint_to=None,
        postgres=database_for(folder),
    )


@contextmanager
def ledger_at(settings: Settings) -> Iterator[Ledger]:
    """The ledger of ``settings``, its tables made, closed at the end."""
    with opened(Ledger(settings)) as ledger:
        yield ledger


@contextmanager
def opened(ledger: SomeLedger) -> Iterator[SomeLedger]:
    """``ledger`` with its tables made; closed at the end."""
    try:
        ledger.create_tables()
        yield ledger
    finally:
        ledger.close()


@contextmanager
def ledger_in(folder: Path, lock_timeout: float = 10.0) -> Iterator[Ledger]:
    """A ledger in ``folder``."""
    with ledger_at(settings_in(folder, lock_timeout)) as ledger:
        yield ledger


def sqlite_log(ledger: Ledger) -> SQLiteRecorder:
    """The recorder of a ledger in a file."""
    recorder = ledger.log_recorder
    assert isinstance(recorder, SQLiteRecorder)
    return recorder


def raw(path: Path, timeout: float = 5.0) -> Any:
    """A connection of our own to a file, past all of the service."""
    sqlite3 = importlib.import_module("sqlite3")  # after the service put a safe one there
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def somebody(may_waive: bool = False) -> Actor:
    """One request of the office."""
    return Actor("招商办", now(), uuid4().hex, may_waive)


def call(
    key: str | None = None, digest: str = "d1", token: str = "t1", known: int | None = None
) -> Call:
    """A client's call; ``known`` is the version it gives as If-Match."""
    return Call(token, digest, key, None if known is None else frozenset({known}))


def register(
    ledger: Ledger, number: str = "QJP-001", name: str = "王委员", by: Call | None = None
) -> Answer:
    """Register a member."""
    facts = {"number": number, "name": name, "sector": "工商联", "district": DISTRICT}
    with acting(somebody()):
        return ledger.register_member(by or call(), {**facts, "occurred_on": "2025-01-02"})


def tip(ledger: Ledger, member: UUID, by: Call | None = None, **facts: Any) -> Answer:
    """A tip of that member."""
    given = {
        "title": "12英寸大晶圆项目",
        "members": [str(member)],
        "district": DISTRICT,
        "investment": MONEY,
        "occurred_on": "2025-03-18",
        **facts,
    }
    with acting(somebody()):
        return ledger.tip(by or call(), given)


def follow(ledger: Ledger, lead: UUID, result: str = "去了一次", by: Call | None = None) -> Answer:
    """A follow-up, which any open lead takes any number of."""
    facts = {"form": "visit", "result": result, "occurred_on": "2025-04-01"}
    with acting(somebody()):
        return ledger.follow_up(lead, by or call(), facts)


def a_lead(ledger: Ledger) -> UUID:
    """The lead of a new member."""
    member = register(ledger, number=uuid4().hex[:12])
    return tip(ledger, member.subject).subject


def journeys(ledger: Ledger, numbers: str = "QJP-") -> None:
    """Leads through every command that there is, one of them late and out of order.

    ``numbers`` begins the numbers of the two members who report them.
    """
    with acting(somebody(may_waive=True)):
        facts = {"name": "王委员", "sector": "工商联", "district": DISTRICT}
        member = ledger.register_member(
            call(), {"number": f"{numbers}001", "occurred_on": "2025-01-02", **facts}
        ).subject
        second = ledger.register_member(
            call(),
            {"number": f"{numbers}002", "occurred_on": "2025-01-03", "note": "新任", **facts},
        ).subject
        _to_groundbreaking(ledger, member, second, call(f"{numbers}key"))
        _closed_and_back(ledger, member)
        _judged(ledger, member, second)
        ledger.retire_member(second, call(), {"occurred_on": "2025-12-01"})
        ledger.seal(call(), asked_for(2025, date(2025, 12, 29), None), "年度工作报告")


def _to_groundbreaking(ledger: Ledger, member: UUID, second: UUID, by: Call) -> None:
    lead = ledger.tip(
        by,
        {
            "title": "12英寸大晶圆项目",
            "summary": "一期\n二期",
            "members": [str(member), str(second)],
            "district": DISTRICT,
            "investor": {"name": "晶圆公司", "uscc": None, "country": "CN"},
            "industry": "C397",
            "investment": MONEY,
            "contact": {"name": "李", "phone": "139"},
            "occurred_on": "2025-03-18",
            "note": "会上报的",
            "source": {"number": "7", "year": "2025"},
        },
    ).subject
    ledger.screen(lead, call(), {"verdict": "pursue", "occurred_on": "2025-03-20"})
    ledger.open_negotiation(
        lead,
        call(),
        {"responsible_unit": "商务局", "manager": "赵", "occurred_on": "2025-04-02"},
    )
    ledger.follow_up(
        lead,
        call(),
        {
            "form": "none",
            "reason": "对方休假",
            "next_on": "2025-05-01",
            "occurred_on": "2025-04-20",
        },
    )
    ledger.plan_signing(lead, call(), {"expected_on": "2026-01-15", "occurred_on": "2025-06-01"})
    ledger.agree_framework(
        lead,
        call(),
        {
            "number": "KJ-1",
            "investment": {"amount": "28", "unit": "亿元"},
            "document_sha256": "ab" * 32,
            "occurred_on": "2025-06-02",
        },
    )
    ledger.revise(
        lead,
        call(),
        {
            "facts": {"investment": {"amount": "3.5", "unit": "亿美元"}, "industry": None},
            "reason": "换币种",
            "occurred_on": "2025-06-10",
        },
    )
    ledger.sign(
        lead,
        call(),
        {
            "number": "HT-1",
            "investment": {"amount": "31.25", "unit": "亿元"},
            "document_sha256": "cd" * 32,
            # Before the plan it carries out: what is dated later is void.
            "occurred_on": "2025-05-20",
        },
    )
    ledger.break_ground(
        lead,
        call(),
        {
            "start": "construction",
            "evidence": [{"kind": "permit", "reference": "施-1"}],
            "occurred_on": "2025-09-01",
        },
    )
    _recognised_and_put_right(ledger, lead)


def _recognised_and_put_right(ledger: Ledger, lead: UUID) -> None:
    for stage, day in (("groundbroken", "2025-11-01"), ("signed", "2025-07-15")):
        facts = {"stage": stage, "authority": "市商务局", "occurred_on": day}
        ledger.recognise(lead, call(), facts)
    version = len(ledger.reads.history(lead))
    why = {"reason": "录入有误", "occurred_on": "2025-12-01"}
    corrections: list[dict[str, Any]] = [
        {"version": 1, "facts": {"occurred_on": "2025-03-17", "title": "12英寸晶圆项目"}},
        {"version": 8, "facts": {"investment": {"amount": "31", "unit": "亿元"}}},
        {"version": version, "void": True},
        {"version": version + 2, "facts": {"investment": {"amount": "32", "unit": "亿元"}}},
        {"version": version + 3, "void": True},
    ]
    for correction in corrections:
        ledger.correct(lead, call(), {**correction, **why})


def _closed_and_back(ledger: Ledger, member: UUID) -> None:
    facts = {"title": "冷链物流园", "members": [str(member)], "district": "320871"}
    lead = ledger.tip(call(), {**facts, "occurred_on": "2025-02-01"}).subject
    waiver = [{"fact": "responsible_unit", "reason": "旧账没有"}]
    ledger.open_negotiation(lead, call(), {"waivers": waiver, "occurred_on": "2025-02-10"})
    ledger.suspend(
        lead,
        call(),
        {"reason": "等土地", "review_on": "2025-05-01", "occurred_on": "2025-03-01"},
    )
    ledger.resume(lead, call(), {"reason": "土地有了", "occurred_on": "2025-04-01"})
    ledger.close_lead(
        lead,
        call(),
        {
            "outcome": "lost",
            "reason": "去了邻区",
            "lost_to": "320803",
            "occurred_on": "2025-07-01",
        },
    )
    ledger.tell_members(lead, call(), {"occurred_on": "2025-07-03", "note": "电话告知"})
    ledger.reopen(lead, call(), {"reason": "又回来了", "occurred_on": "2025-08-01"})
    for day, answer in (("2025-08-05", "refuse"), ("2025-08-10", "accept")):
        why = {"reason": "用地在对方"}
        facts = {"district": DISTRICT, "occurred_on": day, **why}
        ledger.propose_transfer(lead, call(), facts)
        given = {"occurred_on": day, **(why if answer == "refuse" else {})}
        getattr(ledger, f"{answer}_transfer")(lead, call(), given)
    investment = {"amount": "12000", "unit": "万元"}
    ledger.revise(
        lead,
        call(),
        {"facts": {"investment": investment}, "reason": "初报", "occurred_on": "2025-02-05"},
    )


def _judged(ledger: Ledger, member: UUID, second: UUID) -> None:
    facts = {"members": [str(member)], "district": DISTRICT, "occurred_on": "2025-02-01"}
    first = ledger.tip(call(), {"title": "光伏组件", **facts}).subject
    others = {**facts, "members": [str(second)]}
    again = ledger.tip(call(), {"title": "光伏组件厂", **others}).subject
    verdict = {"occurred_on": "2025-02-03", "reason": "同一家公司"}
    ledger.screen(again, call(), {"verdict": "duplicate", "duplicate_of": str(first), **verdict})
    ledger.reopen(again, call(), {"reason": "是另一家", "occurred_on": "2025-02-04"})
    verdict["occurred_on"] = "2025-02-05"
    ledger.screen(again, call(), {"verdict": "duplicate", "duplicate_of": str(first), **verdict})
    shares = [
        {"member": str(member), "share": "2/3"},
        {"member": str(second), "share": "1/3"},
    ]
    ruling = {"shares": shares, "reason": "首报为主", "occurred_on": "2025-02-06"}
    ledger.rule_credit(first, call(), ruling)
    ledger.screen(first, call(), {"verdict": "decline", **verdict})
    ledger.reopen(first, call(), {"reason": "再看看", "occurred_on": "2025-03-01"})


def somebody_erased(ledger: Ledger, numbers: str = "QJP-") -> None:
    """A contact sealed in each event that has one, and its person erased."""
    contact = {"name": "李先生", "phone": "13800000001"}
    member = register(ledger, f"{numbers}001").subject
    lead = tip(ledger, member, contact=contact)
    others = [{**contact, "name": "李女士"}, {**contact, "name": "李总"}]
    with acting(somebody()):
        revised = {"facts": {"contact": others[0]}, "occurred_on": "2025-04-01"}
        ledger.revise(lead.subject, call(), revised)
        right = {"version": 2, "facts": {"contact": others[1]}, "reason": "录入有误"}
        ledger.correct(lead.subject, call(), {**right, "occurred_on": "2025-04-02"})
        subject = UUID(lead.body["contact"]["subject"])
        ledger.erase(subject, call(), {"reason": "本人要求"})


def keep_the_proof(ledger: Ledger) -> None:
    """What the keeping of the proof records."""
    with acting(somebody()):
        ledger.rotate_key("old+00000001+AQ==", "new+00000002+AQ==", "2026-12-25T00:00:00.000000Z")
        ledger.published.raise_alarm("Position 7 does not hold.", now())
        ledger.rule("备份恢复，已核对")
        ledger.note_accesses(f"5:{'9f' * 32}")


def stored_leads(ledger: Ledger, member: UUID, leads: int, follow_ups: int) -> list[StoredEvent]:
    """Many leads, each with a few follow-ups, as they would be stored; recorded by nobody yet."""
    stored = []
    with acting(somebody()):
        for number in range(leads):
            lead = Lead.tip(
                title=f"项目{number}",
                members=[str(member)],
                district=DISTRICT,
                investment={"amount": str(number), "unit": "万元"},
                occurred_on=f"2025-01-{number % 28 + 1:02d}",
                id=uuid4(),
            )
            for at in range(follow_ups):
                lead.follow_up(form="call", result=f"第{at}次", occurred_on="2025-02-01")
            stored += [ledger.mapper.to_stored_event(event) for event in lead.collect_events()]
    return stored


def whole_log(ledger: Ledger) -> list[Notification]:
    """Everything that was ever recorded, by position."""
    return list(ledger.recorder.select_notifications(None, 2**31))


def contents(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every projection's tables, bookmarks included, each sorted: to compare row by row.

    What stands aside is left out: the build's name, say, does not follow from the log.
    """
    with ledger.reads.store.snapshot() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if ASIDE not in table.info
        }


def check_projections(ledger: Ledger) -> None:
    """The live tables are, row by row, what the log alone gives."""
    ledger.reads.position()
    live = contents(ledger)
    ledger.reads.catch_up.rebuild()
    assert contents(ledger) == live
    assert live["bookmarks"], "nothing was compared"


def processes(work: Callable[..., Any], *each: Sequence[Any]) -> list[Any]:
    """``work(barrier, *arguments)`` in one process for each of ``each``; their results.

    Fails with the traceback of a process that failed.
    """
    barrier = CONTEXT.Barrier(len(each))
    running = [started(work, barrier, *arguments) for arguments in each]
    return [result_of(process, pipe) for process, pipe in running]


def started(work: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """A process that runs ``work``, and the pipe that its result will come through."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_work, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    return process, ours


def result_of(process: Any, pipe: Any) -> Any:
    """What the process returned."""
    try:
        assert pipe.poll(PATIENCE), "the process takes too long"
        done, result = pipe.recv()
        assert done, result
        return result
    finally:
        process.join(PATIENCE)
        process.kill()
        process.join()
        process.close()
        pipe.close()


def _work(pipe: Any, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        result = (True, work(*arguments))
    except Exception:  # noqa: BLE001
        result = (False, traceback.format_exc())
    pipe.send(result)
