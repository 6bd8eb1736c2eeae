"""What was ever stored can be read for ever, and still means the same.

`golden/events.jsonl` holds one stored event of every topic and version, in streams as they were
recorded; `golden/expected.jsonl` what they amounted to then. Neither is ever rewritten. After a
new event, or a new version of one: ``python -m tests.service.test_golden`` appends a journey
with it, if a line for it is missing.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import orjson
import pytest
from eventsourcing.application import project_aggregate
from eventsourcing.persistence import StoredEvent

from service.application import Ledger
from service.commands.events import EVENTS
from service.projections.choosing import Selection
from tests.service.helpers import (
    check_projections,
    journeys,
    keep_the_proof,
    ledger_in,
    somebody_erased,
    whole_log,
)

GOLDEN = Path(__file__).parent / "golden"
YEAR = (date(2025, 1, 1), date(2025, 12, 31))
Line = dict[str, Any]


def lines_of(file: Path) -> list[Line]:
    """The file's lines; none while it is not there."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


EVENT_LINES = lines_of(GOLDEN / "events.jsonl")
EXPECTED_LINES = lines_of(GOLDEN / "expected.jsonl")


def stored(line: Line) -> StoredEvent:
    """A line as the log holds it."""
    return StoredEvent(UUID(line["stream"]), line["number"], line["topic"], line["state"].encode())


def version_in(state: bytes) -> int:
    """The version of the event class that wrote ``state``."""
    return int(json.loads(state).get("class_version", 1))


def known_versions() -> set[tuple[str, int]]:
    """Every topic with every version of it that may be in a log."""
    return {
        (event.TOPIC, version)
        for event in EVENTS
        for version in range(1, getattr(event, "class_version", 1) + 1)
    }


def amounts_to(ledger: Ledger, stream: UUID) -> Line:
    """What the events of one stream amount to: in the aggregate, and as it is shown."""
    events: list[Any] = list(ledger.events.get(stream))
    kind = events[0].TOPIC
    if kind == "request.answered":
        (answered,) = events
        told = {name: getattr(answered, name) for name in ("digest", "subject", "version")}
        return {**told, "status": answered.status, "actor": answered.actor}
    if kind.startswith(("audit.", "subject.")):
        return {f"{event.originator_version}": facts_of(event) for event in events}
    if kind == "report.sealed":
        report = ledger.reports.sealed(stream)
        # What follows it is recorded later.
        del report["followed_by"]
        return {"report": report, "facts": facts_of(events[0])}
    aggregate: Any = project_aggregate(None, events)
    if kind == "lead.tipped":
        names = ["version", "stage", "screened", "entered_on", "facts", "expected_on"]
        shown = {
            "lead": orjson.loads(ledger.reads.lead(stream).body),
            "history": ledger.reads.history(stream),
        }
    else:
        names = ["version", "number", "name", "district", "retired_on"]
        selection = Selection(member=str(stream))
        shown = {
            "member": ledger.reads.member(stream),
            "pipeline": without_position(ledger.reads.pipeline(selection, *YEAR, None)),
            "movements": without_position(ledger.reads.movements(selection, *YEAR, None)),
            "series": without_position(ledger.reads.series(selection, *YEAR, None, "month")),
            "times": without_position(ledger.reads.times(selection, *YEAR)),
        }
    return {"aggregate": {name: getattr(aggregate, name) for name in names}, **shown}


def facts_of(event: Any) -> Line:
    """What an event says, besides where it stands."""
    apart = ("originator_id", "originator_version", "timestamp", "recorded_at")
    facts = {name: value for name, value in vars(event).items() if name not in apart}
    return {"topic": event.TOPIC, **facts}


def without_position(answer: Line) -> Line:
    """An answer that does not change when more is appended to the log."""
    return {name: value for name, value in answer.items() if name != "position"}


def append_missing(folder: Path) -> int:
    """Append a journey when an event or a version has no line yet; how many lines."""
    before = lines_of(folder / "events.jsonl")
    had = {(line["topic"], version_in(line["state"].encode())) for line in before}
    missing = {(e.TOPIC, getattr(e, "class_version", 1)) for e in EVENTS} - had
    if not missing:
        return 0
    with TemporaryDirectory() as place, ledger_in(Path(place)) as ledger:
        # What is there already keeps its positions, and its members keep their leads.
        ledger.record_all(map(stored, before))
        if all(topic.startswith("audit.") for topic, _ in missing):
            keep_the_proof(ledger)
        elif all(topic == "subject.erased" for topic, _ in missing):
            somebody_erased(ledger, f"G{len(before)}-")
        else:
            journeys(ledger, f"G{len(before)}-")
        new = whole_log(ledger)[len(before) :]
        told = {line["stream"] for line in lines_of(folder / "expected.jsonl")}
        found = dict.fromkeys(UUID(str(event.originator_id)) for event in new)
        streams = [stream for stream in found if str(stream) not in told]
        expected = [{"stream": str(s), **amounts_to(ledger, s)} for s in streams]
    events = [
        {
            "stream": str(event.originator_id),
            "number": event.originator_version,
            "topic": event.topic,
            "state": event.state.decode(),
        }
        for event in new
    ]
    for name, rows in (("events", events), ("expected", expected)):
        with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return len(events)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger whose log is the golden one."""
    with ledger_in(tmp_path_factory.mktemp("golden")) as ledger:
        ledger.record_all(map(stored, EVENT_LINES))
        yield ledger


def test_every_event_that_may_be_stored_has_a_golden_line_in_each_version() -> None:
    had = {(line["topic"], version_in(line["state"].encode())) for line in EVENT_LINES}
    assert known_versions() - had == set()


def test_no_golden_line_is_of_an_event_that_was_given_up() -> None:
    """None is ever: whoever has one in his log needs it read."""
    had = {(line["topic"], version_in(line["state"].encode())) for line in EVENT_LINES}
    assert had - known_versions() == set()


@pytest.mark.parametrize(
    "line", EVENT_LINES, ids=[f"{n}-{line['topic']}" for n, line in enumerate(EVENT_LINES, 1)]
)
def test_a_golden_event_is_read_with_everything_that_was_stored(
    replayed: Ledger, line: Line
) -> None:
    event: Any = replayed.mapper.to_domain_event(stored(line))
    assert (str(event.originator_id), event.originator_version) == (line["stream"], line["number"])
    newest = getattr(type(event), "class_version", 1)
    if version_in(line["state"].encode()) == newest:
        assert replayed.mapper.to_stored_event(event) == stored(line), "it is stored as it was"
    facts = {name for name in type(event).__annotations__ if not name.startswith("_")}
    absent = {name for name in facts if not hasattr(event, name)}
    assert not absent, "facts that its class promises; a new one needs a version and an upcaster"
    for name in ("actor", "request", "timestamp"):
        assert getattr(event, name)


@pytest.mark.parametrize("expected", EXPECTED_LINES, ids=lambda line: line["stream"][:8])
def test_a_golden_stream_amounts_to_what_it_did_when_it_was_recorded(
    replayed: Ledger, expected: Line
) -> None:
    stream = expected["stream"]
    now = json.loads(json.dumps({"stream": stream, **amounts_to(replayed, UUID(stream))}))
    check_contains(now, expected, "")


def check_contains(now: Any, then: Any, where: str) -> None:
    """Everything that was shown is shown still; more may have come beside it."""
    if isinstance(then, dict):
        assert isinstance(now, dict), where
        for name, value in then.items():
            assert name in now, f"{where}/{name} is gone"
            check_contains(now[name], value, f"{where}/{name}")
    elif isinstance(then, list):
        assert len(now) == len(then), where
        for at, value in enumerate(then):
            check_contains(now[at], value, f"{where}/{at}")
    else:
        assert now == then, where


def test_the_golden_log_has_an_expectation_for_every_stream() -> None:
    assert {line["stream"] for line in EVENT_LINES} == {line["stream"] for line in EXPECTED_LINES}
    assert len(EXPECTED_LINES) == len({line["stream"] for line in EXPECTED_LINES})


def test_the_golden_log_balances_and_is_rebuilt_row_by_row(replayed: Ledger) -> None:
    assert replayed.reads.whole_book_balances()
    check_projections(replayed)


def test_the_golden_files_are_never_rewritten(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    copytree(GOLDEN, folder)
    names = ("events.jsonl", "expected.jsonl")
    before = [(folder / name).read_bytes() for name in names]
    assert append_missing(folder) == 0, "nothing is missing, so nothing is appended"
    assert [(folder / name).read_bytes() for name in names] == before
    # Without its line for a closure the file gets a journey more, and keeps what it had.
    kept = b"".join(
        line for line in before[0].splitlines(keepends=True) if b"lead.closed" not in line
    )
    kept = kept[: kept.index(b"lead.suspended")].rpartition(b"\n")[0] + b"\n"
    (folder / names[0]).write_bytes(kept)
    assert append_missing(folder) > 0
    after = [(folder / name).read_bytes() for name in names]
    assert all(
        now.startswith(then) and len(now) > len(then)
        for now, then in zip(after, (kept, before[1]), strict=True)
    )


if __name__ == "__main__":
    print(f"{append_missing(GOLDEN)} events appended")  # noqa: T201
