"""The event log's stored format: what a topic and a state are, whatever database keeps them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, Notification, StoredEvent, Transcoder

_NEW, _PUT = object.__new__, object.__setattr__
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
        # topic → class, its version, its stored fields, the class that it begins (None for none)
        self._classes = {
            cls.TOPIC: (
                cls,
                getattr(cls, "class_version", 1),
                _facts_of(cls),
                origins.get(cls.TOPIC),
            )
            for cls in classes
        }

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The event as it is kept for ever."""
        state = dict(vars(domain_event))
        topic: str = type(domain_event).TOPIC  # type: ignore[attr-defined]
        cls, version, _, _ = self._classes[topic]
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
        topic = stored_event.topic
        known = self._classes.get(topic)
        if known is None:
            raise UnreadableEvent(f"{_named(stored_event)} has a topic unknown here.")
        cls, newest, facts, origin = known
        try:
            state = orjson.loads(stored_event.state)
            # Kept as text as well: whoever shows it need not write it anew.
            state["recorded_at"] = text = state["timestamp"]
            state["timestamp"] = _moment_of(text)
        except (ValueError, KeyError, TypeError) as why:
            raise UnreadableEvent(f"{_named(stored_event)} is damaged: {why!r}.") from why
        if newest > 1 or "class_version" in state:
            self._upcast(stored_event, state)
        if not state.keys() >= facts:
            lacking = ", ".join(sorted(facts - state.keys()))
            raise UnreadableEvent(f"{_named(stored_event)} is damaged: it lacks {lacking}.")
        state["originator_id"] = stored_event.originator_id
        state["originator_version"] = stored_event.originator_version
        if origin is not None:
            state["originator_topic"] = origin
        event = _NEW(cls)
        _PUT(event, "__dict__", state)
        return event

    def _upcast(self, stored_event: StoredEvent, state: dict[str, Any]) -> None:
        """Bring the facts of an earlier version to what the class is now."""
        cls, newest, _, _ = self._classes[stored_event.topic]
        version = state.pop("class_version", 1)
        if type(version) is not int or not 1 <= version <= newest:
            raise UnreadableEvent(
                f"{_named(stored_event)} is of a version unknown here, {version!r}."
            )
        for step in range(version, newest):
            getattr(cls, f"upcast_v{step}_v{step + 1}")(state)


def _facts_of(cls: type[Any]) -> frozenset[str]:
    """The fields that an event's stored state holds."""
    elsewhere = {"originator_id", "originator_version", "originator_topic"}
    return frozenset(getattr(cls, "__dataclass_fields__", ())) - elsewhere


def _named(stored: StoredEvent) -> str:
    at = f" at position {stored.id}" if isinstance(stored, Notification) else ""
    return f"Event {stored.originator_version} of {stored.originator_id} ({stored.topic}){at}"
