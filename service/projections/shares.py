"""The log taken in by several processes: each fills a file with its share, and those become one.

A share is the events of some of the leads, and of all members. So while a projection takes in an
event it may look at other events of the same lead, and at members, and at nothing else.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Self

from domain.errors import NotReady
from service.log_recorder import LedgerRecorder
from service.log_share import shares
from service.projections.feed import Feed
from service.projections.shadow import FileShadow, NewFile, Place
from service.projections.sqlite_file import unavailable

Progress = Callable[[int], object]
# A process that was forked would have this one's locks and connections.
_CONTEXT = multiprocessing.get_context("spawn")


def take_in_shares(
    feed: Feed, recorder: LedgerRecorder, shadow: FileShadow, progress: Progress, of: int
) -> None:
    """Take the log, as far as it goes now, into the shadow, by ``of`` processes of which this is
    one; within a transaction of the caller's."""
    upto = recorder.max_notification_id()
    if not upto:
        return
    done = _Done(progress, of)
    mine, *others = shares(recorder, upto, of)
    with ExitStack() as stack:
        stack.callback(mine.close)
        helpers = [
            stack.enter_context(Helper(feed.of(other), shadow.place_beside(), done.more))
            for other in others
        ]
        feed.of(mine).rest(shadow.connection, lambda positions: done.more(positions, helpers))
        for number, helper in enumerate(helpers, 1):
            helper.hear_all()
            shadow.take_over(helper.place, f"share{number}")
    (last,) = recorder.select_notifications(upto, 1)
    feed.mark(shadow.connection, feed.projections, last)
    done.all(upto)


class _Done:
    """How far all processes have come together, told as positions of the log."""

    def __init__(self, progress: Progress, of: int) -> None:
        self._progress = progress
        self._of = of
        self._positions = self._told = 0

    def more(self, positions: int, helpers: Iterable["Helper"] = ()) -> None:
        """One of them has come so much further; ``helpers`` may have, too."""
        self._positions += positions
        for helper in helpers:
            helper.hear()
        self.all(self._positions // self._of)

    def all(self, position: int) -> None:
        """Together they are there."""
        if position > self._told:
            self._progress(position - self._told)
            self._told = position


class Helper:
    """A process that takes in what ``feed`` gives, into a new file at ``place``.

    It ends with its ``with`` block, and, when this process was killed, with its next batch.
    """

    def __init__(self, feed: Feed, place: Place, progress: Progress) -> None:
        self.place = place
        self._progress = progress
        self._heard_all = False
        self._pipe, theirs = _CONTEXT.Pipe(duplex=False)
        with theirs:
            work = (feed, place, theirs)
            self._process = _CONTEXT.Process(target=_take_in, args=work, daemon=True)
            self._process.start()

    def __enter__(self) -> Self:
        return self

    def hear(self) -> None:
        """Pass on what it told since; NotReady where it failed."""
        while not self._heard_all and self._pipe.poll():
            self._hear_one()

    def hear_all(self) -> None:
        """Wait until its file is whole."""
        while not self._heard_all:
            self._hear_one()

    def _hear_one(self) -> None:
        try:
            told = self._pipe.recv()
        except EOFError:
            raise NotReady("A process that took part in the rebuild ended too early.") from None
        if isinstance(told, NotReady):
            raise told
        if told is None:
            self._heard_all = True
        else:
            self._progress(told)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


def _take_in(feed: Feed, place: Place, pipe: Connection) -> None:
    """What a helper does. It tells how many positions each batch came further; in the end None,
    or what made it fail."""
    # Whoever interrupts the rebuild interrupts the process that waits for this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Nobody waits any more if this cannot be sent; then there shall be no file.
        pipe.send(0)
        with unavailable(), NewFile(place) as file, file.transaction():
            feed.rest(file.connection, pipe.send)
        pipe.send(None)
    except NotReady as why:
        pipe.send(why)
    except BrokenPipeError:
        pass
