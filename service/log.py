"""The event log's stored format: what a topic and a state are, whatever database keeps them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder

from service.log_recorder import uuid_of

_NEW, _PUT, _loads = object.__new__, object.__setattr__, orjson.loads
# Of events that were recorded together the moment is one.
_moment_of = lru_cache(maxsize=16)(datetime.fromisoformat)


class UnreadableEvent(Exception):
    """A stored event that this version does not know; nothing is guessed about it."""


# A command writes the moment it was given several times.
@lru_cache(maxsize=16)
def moment_text(moment: datetime) -> str:
    """RFC 3339 of a moment in UTC, ending in Z, always with microseconds: it sorts as text."""
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def _check_plain(value: Any) -> None:
    kind = type(value)
    if kind is dict:
        for name, inner in value.items():
            if type(name) is not str:
                raise TypeError(f"{name!r} is no name; an event's facts are named by texts.")
            _check_plain(inner)
    elif kind is list:
        for inner in value:
            _check_plain(inner)
    elif value is not None and kind not in (str, int, bool):
        raise TypeError(f"{value!r} is of {kind.__name__}; events keep texts, integers, yes or no.")


class OrjsonTranscoder(Transcoder):
    """Plain JSON of plain types. No type tags, so no user's dictionary can pose as one."""

    def encode(self, obj: Any) -> bytes:
        """``obj`` as JSON in UTF-8; TypeError for what would not come back as it went."""
        _check_plain(obj)
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        """The JSON value, with everything as it was written."""
        return orjson.loads(data)


class LedgerMapper(Mapper[UUID]):
    """Between events and their stored form: a short topic from a closed list, and the facts.

    ``aggregates`` maps the topic of each first event to the class it begins. A topic that is
    not in ``classes``, or a version newer than the class knows, is an UnreadableEvent.
    """

    def __init__(self, classes: Iterable[type[Any]], aggregates: Mapping[str, type[Any]]) -> None:
        super().__init__(OrjsonTranscoder())
        origins = {
            topic: f"{cls.__module__}:{cls.__qualname__}" for topic, cls in aggregates.items()
        }
        # topic, as a text and as rows of the log have it → class, its version, its stored fields,
        # what refuses (KeyError) a state without one of them, the class that it begins (or None)
        self._kinds: dict[Any, tuple[Any, ...]] = {}
        for cls in classes:
            facts = _facts_of(cls)
            # A moment every event has.
            check = itemgetter("timestamp", *facts)
            version = getattr(cls, "class_version", 1)
            kind = (cls, version, facts, check, origins.get(cls.TOPIC))
            self._kinds[cls.TOPIC] = self._kinds[cls.TOPIC.encode()] = kind

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The event as it is kept for ever."""
        state = dict(vars(domain_event))
        topic: str = type(domain_event).TOPIC  # type: ignore[attr-defined]
        cls, version, *_ = self._kinds[topic]
        if cls is not type(domain_event):
            raise UnreadableEvent(f"Topic {topic} belongs to {cls}, not {type(domain_event)}.")
        state.pop("originator_topic", None)
        state.pop("recorded_at", None)
        originator_id = state.pop("originator_id")
        originator_version = state.pop("originator_version")
        state["timestamp"] = moment_text(state["timestamp"])
        if version > 1:
            state["class_version"] = version
        return StoredEvent(originator_id, originator_version, topic, self.transcoder.encode(state))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The event again, upcast to what its class is now."""
        at = getattr(stored_event, "id", None)
        stored = stored_event.originator_id, stored_event.originator_version
        row = (at, *stored, stored_event.topic, stored_event.state)
        return next(self.events_in([row]))[1]

    def events_in(self, rows: Iterable[Any]) -> Iterator[tuple[Any, Any]]:  # noqa: PLR0915
        """The same of rows of the log (`log_recorder.Row`), each with its position.

        A long log is read through here: to call functions for each event would take a fifth of
        the time more.
        """
        kinds = self._kinds
        last = originator_id = None
        for row in rows:
            at, key, number, topic, stored = row
            kind = kinds.get(topic)
            if kind is None:
                raise _unreadable(row, "has a topic unknown here")
            cls, newest, facts, check, origin = kind
            try:
                state = _loads(stored)
                # Kept as text as well: whoever shows it need not write it anew.
                state["recorded_at"] = text = state["timestamp"]
                state["timestamp"] = _moment_of(text)
            except (ValueError, KeyError, TypeError) as why:
                raise _unreadable(row, f"is damaged: {why!r}") from why
            if newest > 1 or "class_version" in state:
                _upcast(row, cls, newest, state)
            try:
                check(state)
            except KeyError:
                lacking = ", ".join(sorted(facts - state.keys()))
                raise _unreadable(row, f"is damaged: it lacks {lacking}") from None
            # What happened to one lead often stands together.
            if key != last:
                last, originator_id = key, uuid_of(key)
            state["originator_id"] = originator_id
            state["originator_version"] = number
            if origin is not None:
                state["originator_topic"] = origin
            event = _NEW(cls)
            _PUT(event, "__dict__", state)
            yield at, event


def _facts_of(cls: type[Any]) -> frozenset[str]:
    """The fields that an event's stored state holds."""
    elsewhere = {"originator_id", "originator_version", "originator_topic"}
    return frozenset(getattr(cls, "__dataclass_fields__", ())) - elsewhere


def _upcast(row: Any, cls: type[Any], newest: int, state: dict[str, Any]) -> None:
    """Bring the facts of an earlier version to what the class is now."""
    version = state.pop("class_version", 1)
    if type(version) is not int or not 1 <= version <= newest:
        raise _unreadable(row, f"is of a version unknown here, {version!r}")
    for step in range(version, newest):
        getattr(cls, f"upcast_v{step}_v{step + 1}")(state)


def _unreadable(row: Any, what: str) -> UnreadableEvent:
    """What is wrong with the event of a row, which is named."""
    at, key, number, topic, _ = row
    said = topic.decode(errors="replace") if isinstance(topic, bytes) else topic
    where = "" if at is None else f" at position {at}"
    return UnreadableEvent(f"Event {number} of {uuid_of(key)} ({said}){where} {what}.")
