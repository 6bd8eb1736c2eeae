"""The log taken in by several processes: each fills a file with its share, and those become one.

A share is the events of some of the leads, and of all members. So while a projection takes in an
event it may look at other events of the same lead, and at members, and at nothing else.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from typing import IO, Self, cast

from domain.errors import NotReady
from service.log_recorder import LedgerRecorder
from service.log_share import shares
from service.projections.feed import Feed
from service.projections.shadow import FileShadow, NewFile, Place
from service.projections.sqlite_file import unavailable

Progress = Callable[[int], object]
# What a helper runs. One that was forked would have this process's locks and connections, and one
# that `multiprocessing` spawns would import whatever this one's main module does, such as all that
# the command line has and the projections have not: a third of its memory.
_HELPER = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from service.projections.shares import help_out
help_out(sys.stdin.buffer)
"""


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
    (last,) = recorder.stored_rows(upto - 1, 1, upto)
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
        read, write = os.pipe()
        self._pipe = Connection(read, writable=False)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _HELPER], stdin=subprocess.PIPE, pass_fds=[write]
            )
        finally:
            os.close(write)
        self._give(sys.path, (feed, place, write))

    def _give(self, *work: object) -> None:
        given = cast(IO[bytes], self._process.stdin)
        # Where it ended already, whoever hears it is told so.
        with suppress(BrokenPipeError), given:
            for part in work:
                pickle.dump(part, given)

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
        self._process.wait()
        self._pipe.close()


def help_out(given: IO[bytes]) -> None:
    """What a helper does, with the work that it is given."""
    # From whoever started this process, and nobody else.
    feed, place, pipe = pickle.load(given)  # noqa: S301
    with Connection(pipe, readable=False) as told:
        _take_in(feed, place, told)


def _take_in(feed: Feed, place: Place, pipe: Connection) -> None:
    """Take in a share. A helper tells how many positions each batch came further; in the end None,
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
