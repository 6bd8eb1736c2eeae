"""What was recorded since the last export, as CloudEvents 1.0: a line of JSON for each event."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from service.exports.sinks import HashedFile, Written
from service.log_recorder import LedgerRecorder
from service.proof.tree import Row

SOURCE = "urn:leadledger:log"
TYPE = "leadledger."
CONTENT_TYPE = "application/x-ndjson"
_BATCH = 2_000
# What may be told of an event's facts.
Facts = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def write_events(
    path: Path, recorder: LedgerRecorder, span: tuple[int, int], facts: Facts
) -> Written:
    """The log after a position and up to another; ``facts`` tells what an event may tell."""
    file = HashedFile(path)
    count = 0
    for rows in _batches(recorder, *span):
        lines = [cloud_event(row, facts) for row in rows]
        file.write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
        count += len(rows)
    file.close()
    return file.written(count)


def _batches(recorder: LedgerRecorder, after: int, upto: int) -> Iterator[list[Row]]:
    while rows := recorder.stored_rows(after, _BATCH, upto):
        yield rows
        after = rows[-1][0]


def cloud_event(row: Row, facts: Facts) -> dict[str, Any]:
    """A stored event as a CloudEvent; ``position`` and ``streamversion`` are its place."""
    position, originator, version, topic, state = row
    data = orjson.loads(state)
    time = data.pop("timestamp")
    subject = str(UUID(originator.decode()))
    return {
        "specversion": "1.0",
        "id": f"{subject}/{version}",
        "source": SOURCE,
        "type": TYPE + topic.decode(),
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
        "position": position,
        "streamversion": version,
        "data": facts(data),
    }
