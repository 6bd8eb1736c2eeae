"""What the service asks of whatever keeps the event log: one interface, for every database.

Only the library's recorder interface is asked of a database; the rest is worked out from that here,
slowly, and done by the recorders of the databases that are served (`log_sqlite.py`,
`log_postgres.py`) in one statement each. Positions are the library's notification ids: whole
numbers that grow in the order of recording, from 1.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)

# In bytes: what the longest texts of one request come to, with room to spare.
LARGE_COMMAND = 64 * 1024
_BATCH = 1_000

# How a UUID, which nobody can change, is made of a number that needs no checks.
_NEW, _UNKNOWN = object.__new__, SafeUUID.unknown
_PUT_NUMBER, _PUT_SAFE = (vars(UUID)[name].__set__ for name in ("int", "is_safe"))

# (position, originator id, version, topic, state): the bytes that proofs are about. The id is 32
# hexadecimal digits.
Row = tuple[int, bytes, int, bytes, bytes]

# What was recorded of one aggregate, whole; and such by their ids.
Stream = Sequence[StoredEvent]
Streams = dict[UUID, Stream]
Insert = Callable[[Sequence[StoredEvent]], Sequence[int]]


class Version(NamedTuple):
    """Two numbers: one changes when something ``beside`` the log did (tokens, alarms, …), one when
    the ``log`` went on. Where both are in one file the first may change with the second."""

    beside: int
    log: int


class LedgerRecorder(ApplicationRecorder):
    """A recorder of the library's, and what else the service asks of it."""

    # Whether shares of the log can be sent to other processes.
    divides = False

    @abstractmethod
    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        """Append all or none, in one transaction; their positions. IntegrityError when one's
        version is taken. Takes any iterable, so that an import of a million events needs no list
        of them."""

    @contextmanager
    def alone(self) -> Iterator[Insert]:
        """Within, nobody else appends, where the log can promise that; what it gives is what
        appends then, as ``insert_events`` does otherwise."""
        yield self.insert_events

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Nobody waits for the log: whoever reads it asks how far it goes."""
        raise NotImplementedError

    def exists(self) -> bool:
        """Whether there is a log already, empty or not."""
        return True

    def create_table(self) -> None:
        """Make what is missing, once, whoever starts first."""

    def check_served(self) -> None:
        """Refused while another ledger is being moved here."""

    def heed(self, tables: Iterable[str]) -> None:
        """From now on a change of these tables, which stand beside the log, is one of
        ``version().beside``."""

    def version(self) -> Version:
        """How log and tables are, so that whoever kept something of them knows whether it holds.
        Asked once by every request."""
        self._asked = getattr(self, "_asked", 0) + 1
        return Version(self._asked, self._asked)

    def version_beside(self, _ids: Sequence[UUID]) -> tuple[Version, Streams]:
        """The same, and those streams by their ids, each whole as it was then or later; none of
        them where they can be read by themselves as quickly. For who needs both at once."""
        return self.version(), {}

    def last_position(self, _version: Version) -> int:
        """The last position of the log when it was of that version, or a later one; 0 of none."""
        return self.max_notification_id() or 0

    def first_positions(self, originator_ids: Iterable[UUID | str]) -> dict[int, int]:
        """Where each of these streams begins, by its id as an integer (a UUID's own hash and
        comparison cost more than the rest of this); nothing of one that has not begun."""
        wanted = {int(key_of(originator_id), 16) for originator_id in originator_ids}
        return {
            int(row[1], 16): row[0]
            for row in self._all_rows()
            if row[2] == 1 and int(row[1], 16) in wanted
        }

    def stored_rows(self, after: int, limit: int, stop: int = 2**62) -> list[Row]:
        """The log after a position; nothing is decoded."""
        found = self.select_notifications(after, limit, stop, inclusive_of_start=False)
        return [_row(notification) for notification in found]

    def stored_rows_of(self, originator_id: UUID) -> list[Row]:
        """One stream in the same form, by version."""
        key = key_of(originator_id).encode()
        return sorted((row for row in self._all_rows() if row[1] == key), key=lambda row: row[2])

    def count_upto(self, position: int) -> int:
        """How many events stand at positions up to this one."""
        return sum(1 for _ in self._all_rows(position))

    def named_at(self, positions: Sequence[int]) -> dict[int, str]:
        """What stands at each of these positions, as position/version/name."""
        named = {}
        for position in positions:
            for at in self.select_notifications(position, 1, position):
                named[at.id] = name_at(at.id, at.originator_version, at.topic)
        return named

    def try_write(self) -> None:
        """Write durably as much as a large command, and take it back. For readiness.

        Raises what a command would meet: a lock that is held, a disk with no room left.
        """
        self.max_notification_id()

    def share(self, begins: tuple[int, int], upto: int) -> "LedgerRecorder":
        """The log up to a position as one of several sees it: the events of the streams whose first
        position is from one to another, and those of every member. A stream without a beginning
        counts as begun at 0. Where the log ``divides``, it can be sent to another process."""
        from service.log_share import SharedOut  # noqa: PLC0415 - it is a recorder itself

        return SharedOut(self, begins, upto)

    def close(self) -> None:
        """Let go of what is open, once nobody uses it."""

    def _all_rows(self, upto: int = 2**62) -> Iterator[Row]:
        after = 0
        while rows := self.stored_rows(after, _BATCH, upto):
            yield from rows
            after = rows[-1][0]


def key_of(originator_id: UUID | str) -> str:
    """An id as it stands in rows."""
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id


def name_at(position: int, version: int, topic: str) -> str:
    """What stands at a position, in one word."""
    return f"{position}/{version}/{topic.partition('.')[2]}"


def _row(at: Notification) -> Row:
    key = key_of(at.originator_id).encode()
    return at.id, key, at.originator_version, at.topic.encode(), at.state


def notifications_of(rows: list[Any]) -> list[Notification]:
    """Rows as notifications, without the checks that a frozen dataclass makes for each field."""
    new, put = object.__new__, object.__setattr__
    found = []
    last = originator = None
    for position, originator_id, version, topic, state in rows:
        # What happened to one lead often stands together.
        if originator_id != last:
            last, originator = originator_id, uuid_of(originator_id)
        notification = new(Notification)
        fields = {
            "originator_id": originator,
            "originator_version": version,
            "topic": topic,
            "state": state,
            "id": position,
        }
        put(notification, "__dict__", fields)
        found.append(notification)
    return found


def uuid_of(key: str | bytes | UUID) -> UUID:
    """The id that the log has as 32 digits, without the checks of what else those may be; or as
    what it is."""
    if isinstance(key, UUID):
        return key
    found = _NEW(UUID)
    _PUT_NUMBER(found, int(key, 16))
    _PUT_SAFE(found, _UNKNOWN)
    return found
