"""What was recorded since the last export, as CloudEvents 1.0: a line of JSON for each event."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from service.exports.safe import masked
from service.exports.sinks import HashedFile, Written
from service.log import LedgerRecorder
from service.proof.tree import Row

SOURCE = "urn:leadledger:log"
TYPE = "leadledger."
CONTENT_TYPE = "application/x-ndjson"
_BATCH = 2_000


def write_events(
    path: Path, recorder: LedgerRecorder, after: int, upto: int, *, personal: bool
) -> Written:
    """The log after a position and up to another; telephone numbers masked unless ``personal``."""
    file = HashedFile(path)
    count = 0
    for rows in _batches(recorder, after, upto):
        lines = [cloud_event(row, personal=personal) for row in rows]
        file.write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
        count += len(rows)
    file.close()
    return file.written(count)


def _batches(recorder: LedgerRecorder, after: int, upto: int) -> Iterator[list[Row]]:
    while rows := recorder.stored_rows(after, _BATCH, upto):
        yield rows
        after = rows[-1][0]


def cloud_event(row: Row, *, personal: bool) -> dict[str, Any]:
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
        "data": data if personal else _masked(data),
    }


def _masked(data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's facts with every contact in them masked."""
    told = dict(data)
    if isinstance(told.get("contact"), dict):
        told["contact"] = {
            name: masked(f"contact_{name}", value) if isinstance(value, str) else value
            for name, value in told["contact"].items()
        }
    if isinstance(told.get("facts"), dict):
        told["facts"] = _masked(told["facts"])
    return told
