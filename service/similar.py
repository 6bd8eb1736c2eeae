"""Leads that may be the same as another: looked for when one is entered, imported or read.

Whether they are is for a person to rule (`screening` as a duplicate). What is found follows from
the log up to a position alone: asked again as known then, it is the same.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.errors import NotFound
from domain.stage import TIP
from service.likeness import key_of_uscc, keys_of, reasons, score
from service.projections.choosing import Selection
from service.projections.history import positions
from service.projections.leads import leads
from service.projections.likenesses import SAYING, sharing
from service.projections.resembling import ALL as EVERY
from service.projections.resembling import resembling
from service.projections.sql import NumbersOf
from service.projections.store import FOREVER, LAST_DAY, Prepared
from service.reads import Found, Reads
from service.scope import ALL, Scope

# How many are shown; for how many leads what was found is remembered; and how many events may have
# been recorded since, to look whether any of them changes it.
MOST_SHOWN = 10
_REMEMBERED = 32768
_MOST_EVENTS = 64
# How a lead's JSON says that it is a tip, and has room for what is found.
_TIP = b'"stage":"tip"'
_LIST = b'"possible_duplicates":'
_NONE = _LIST + b"[]"

Lead = Mapping[str, Any]
_ALL = resembling.alias("every")
_NUMBER = Prepared(
    lambda _insert: sa.select(leads.c.number).where(leads.c.id == sa.bindparam("id")), ["id"]
)
# What is enough to weigh a lead by, of those whose numbers stand in a JSON list.
_WORDS = Prepared(
    lambda _insert: sa.select(
        leads.c.number, leads.c.id, leads.c.position, leads.c.activity_on, leads.c.words
    ).where(leads.c.number.op("IN")(NumbersOf(sa.bindparam("numbers", type_=sa.Text)))),
    ["numbers"],
)
_CHANGED = Prepared(
    lambda _insert: sa.select(leads.c.body).where(leads.c.position > sa.bindparam("since")),
    ["since"],
)
_AHEAD = Prepared(
    lambda _insert: (
        sa.select(
            sa.case(
                (_ALL.c.position > resembling.c.position, _ALL.c.position),
                else_=resembling.c.position,
            ),
            resembling.c.said,
            resembling.c.touched_by,
        )
        .join(leads, leads.c.number == resembling.c.lead)
        .join(_ALL, _ALL.c.lead == sa.literal_column(f"{EVERY}"))
        .where(leads.c.id == sa.bindparam("id"))
    ),
    ["id"],
)
_BODY = Prepared(
    lambda _insert: sa.select(leads.c.body).where(leads.c.number == sa.bindparam("number")),
    ["number"],
)


def _kept(said: Any) -> bytes:
    """JSON that is kept for long: a copy, for what orjson gives lies in four KiB of its own."""
    return bytes(memoryview(orjson.dumps(said)))


class Then(NamedTuple):
    """As of a day (ISO), as known at a log position; by default now."""

    known_at: int = FOREVER - 1
    as_of: str = LAST_DAY


NOW = Then()


class Resembling(NamedTuple):
    """What a lead may be the same as, found at a log ``position``: the JSON of a list, None if
    there was nothing. ``touched_by``, JSON, is what can change it: the lead's keys, and the ids of
    the leads in the list."""

    position: int
    said: bytes | None
    touched_by: bytes


class Changes(NamedTuple):
    """What happened since: to which leads, and which keys they have now or were given."""

    leads: frozenset[str]
    keys: frozenset[int]

    def touch(self, lead_id: str, found: Resembling) -> bool:
        """Whether what was found for the lead may be otherwise now."""
        keys, others = orjson.loads(found.touched_by)
        if lead_id in self.leads:
            return True
        # Whatever became like it has a key of it, and what it was like stands in the list.
        return not (self.keys.isdisjoint(keys) and self.leads.isdisjoint(others))


class Similar:
    """Answers: which leads may be the same as this one?"""

    def __init__(self, reads: Reads, scope: Scope = ALL) -> None:
        """``scope``: whoever asks sees the leads of its district only."""
        self._reads = reads
        self._limits = Selection(within=scope.district).values()
        self._others: dict[str, Similar] = {}
        # By the lead, of one build of the projections.
        self._kept: OrderedDict[UUID, Resembling] = OrderedDict()
        self._build = 0
        # By one position: position → what changed since, None if too much.
        self._changes: tuple[int, dict[int, Changes | None]] = (0, {})

    def within(self, scope: Scope) -> "Similar":
        """The same for who sees no more than that, with a memory of its own."""
        if scope.district is None:
            return self
        if scope.district not in self._others:
            self._others[scope.district] = Similar(self._reads, scope)
        return self._others[scope.district]

    def to(self, lead: Lead, then: Then = NOW, number: int = 0) -> list[dict[str, Any]]:
        """The leads that ``lead`` (its title and investor) may be the same as, the likeliest first:
        id, title, stage, score (0 to 1) and reasons. ``number`` is its own, if it has one.

        For whoever called ``position()`` just now.
        """
        with self._reads.store.snapshot() as connection:
            found = sorted(self._likely(connection, lead, then, number), key=lambda one: one[:2])
            likely: list[dict[str, Any]] = []
            for doubt, other_number, was in found:
                other = was or orjson.loads(_BODY.one(connection, other_number)[0])
                # What was ruled a duplicate is looked for as what it is a duplicate of.
                if other["outcome"] != "duplicate":
                    likely.append(shown(other, lead, -doubt))
                if len(likely) == MOST_SHOWN:
                    break
            return likely

    def lead(self, lead_id: UUID, position: int) -> Found:
        """A lead as it stands, with what it may be the same as; NotFound. ``position``: what
        ``position()`` gave just now."""
        found = self._reads.lead(lead_id, position)
        if _TIP not in found.body:
            return found
        if self._build != self._reads.store.generation:
            self._kept.clear()
            self._changes = (0, {})
            self._build = self._reads.store.generation
        kept = self._kept.get(lead_id) or self._ahead(lead_id)
        if kept is None or kept.position < position:
            kept = self._still(lead_id, kept, position) or self.found(found.body, position)
        self._kept[lead_id] = kept
        self._kept.move_to_end(lead_id)
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        return _with(found, kept.said)

    def _ahead(self, lead_id: UUID) -> Resembling | None:
        """What was found for it ahead (see `service.ahead`), for who sees all."""
        if self._limits:
            return None
        row = self._reads.store.first(_AHEAD, str(lead_id))
        return Resembling(*row) if row else None

    def _still(self, lead_id: UUID, kept: Resembling | None, position: int) -> Resembling | None:
        """What was found, if nothing that happened since can have changed it."""
        if kept is None:
            return None
        changes = self.changes(kept.position, position)
        if changes is None or changes.touch(str(lead_id), kept):
            return None
        return kept._replace(position=position)

    def found(self, body: bytes, position: int) -> Resembling:
        """What the lead of that JSON may be the same as; the projections reflect ``position``."""
        lead = orjson.loads(body)
        likely = self.to(lead, NOW, self._number(UUID(lead["id"])))
        keys = sorted(keys_of(lead["title"], lead["investor"]))
        touched_by = _kept([keys, [one["id"] for one in likely]])
        return Resembling(position, _kept(likely) if likely else None, touched_by)

    def changes(self, since: int, position: int) -> Changes | None:
        """What happened after ``since``, at least up to ``position``; None if it is much."""
        by, known = self._changes
        if by != position:
            known = {}
            self._changes = position, known
        if since not in known:
            known[since] = self._changed(since)
        return known[since]

    def _changed(self, since: int) -> Changes | None:
        events = self._reads.events_since(since, _MOST_EVENTS)
        if events is None:
            return None
        with self._reads.store.reading() as connection:
            bodies = [orjson.loads(row[0]) for row in _CHANGED.all(connection, since)]
        told = [SAYING[event.TOPIC](event) for event in events if event.TOPIC in SAYING]
        told += [(lead["title"], lead["investor"]) for lead in bodies]
        return Changes(
            frozenset(lead["id"] for lead in bodies),
            frozenset(key for one in told for key in keys_of(*one)),
        )

    def lead_at(
        self,
        lead_id: UUID,
        version: int | None = None,
        known_at: int | None = None,
        as_of: date | None = None,
    ) -> Found:
        """As `Reads.lead_at`, with what was known then that the lead might be the same as."""
        found = self._reads.lead_at(lead_id, version, known_at, as_of)
        known = NOW.known_at if known_at is None else known_at
        if version is not None:
            with self._reads.store.reading() as connection:
                known = min(known, positions(connection, str(lead_id))[found.version])
        then = Then(known, LAST_DAY if as_of is None else f"{as_of}")
        return self._with_similar(lead_id, found, then)

    def _with_similar(self, lead_id: UUID, found: Found, then: Then = NOW) -> Found:
        """``found``, with what the lead may be the same as."""
        return _with(found, orjson.dumps(self._of(lead_id, orjson.loads(found.body), then)))

    def at_entry(self, lead_id: UUID, lead: Lead) -> dict[str, Any]:
        """A tip as it was entered, with what it may be the same as of all that was known then."""
        self._reads.position()
        then = Then(known_at=self._number(lead_id))
        return {**lead, "possible_duplicates": self._of(lead_id, lead, then)}

    def _of(self, lead_id: UUID, lead: Lead, then: Then) -> list[dict[str, Any]]:
        # Only a tip is ruled a duplicate; of others nobody asks.
        return self.to(lead, then, self._number(lead_id)) if lead["stage"] == TIP else []

    def _number(self, lead_id: UUID) -> int:
        row = self._reads.store.first(_NUMBER, str(lead_id))
        return int(row[0])

    def _likely(
        self, connection: sa.Connection, lead: Lead, then: Then, number: int
    ) -> Iterator[tuple[float, int, Lead | None]]:
        """(minus the score, number, the other lead unless it is as it is now) of all that share a
        key."""
        investor = lead["investor"]
        uscc = investor["uscc"] if investor else None
        # Those that had the same code at any time, perhaps no longer.
        asked = (then.known_at, self._limits)
        same = sharing(connection, [key_of_uscc(uscc)], *asked) if uscc else set()
        numbers = sharing(connection, keys_of(lead["title"], investor), *asked) - {number}
        for other, lead_id, position, activity_on, words in _WORDS.all(
            connection, orjson.dumps(sorted(numbers)).decode()
        ):
            was: Lead | None = None
            if position > then.known_at or activity_on > then.as_of:
                was = weighed = self._was(connection, lead_id, then)
            elif other in same:
                weighed = orjson.loads(_BODY.one(connection, other)[0])
            else:
                weighed = _by_words(words)
            found = reasons(lead, weighed) if weighed else {}
            if found:
                yield -score(found), other, was

    def _was(self, connection: sa.Connection, lead_id: str, then: Then) -> Lead | None:
        """Another lead as it was; None before its tip."""
        try:
            body = self._reads.body_then(connection, UUID(lead_id), *then)
        except NotFound:
            return None
        was: Lead = orjson.loads(body)
        return was


def _with(found: Found, said: bytes | None) -> Found:
    """``found`` with the list of what the lead may be the same as."""
    if said is None:
        return found
    return replace(found, body=found.body.replace(_NONE, _LIST + said, 1))


def _by_words(words: str) -> Lead:
    """As much as is compared of a lead that is of no known company."""
    title, _, name = words.partition("\n")
    return {"title": title, "investor": {"name": name, "uscc": None} if name else None}


def shown(other: Lead, lead: Lead, likely: float) -> dict[str, Any]:
    """What is told of a lead that another may be the same as."""
    told = {name: other[name] for name in ("id", "title", "stage")}
    return {**told, "score": likely, "reasons": list(reasons(lead, other))}
