"""Slowing down whoever fails too often, or asks too much: one small file for all workers.

For each key (an address, a token's id) the file keeps one number, the moment from which on nothing
of its allowance is used up (GCRA, the leaky bucket as a meter): so many at once, after that one
whenever a share of the minute has passed. A thousand bytes read and sixteen written under a lock
are all that an attempt costs, and only a failed one does.

It fails open: where the file cannot be used, or its lock not be had, nobody is slowed down, and
that is logged. Tokens are as hard to guess then as ever, and to answer nobody would be what an
attacker wants. Who has a good token is not slowed down by others' failures: nobody can be locked
out by them.
"""

import logging
import os
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from pathlib import Path
from struct import Struct
from typing import Any

from domain.errors import LedgerError, NotReady
from service.locks import FileLock

log = logging.getLogger("leadledger")

_MINUTE = 60.0
# key (of 8 bytes), moment. Eight of them are looked through for a key, which is found in one of
# 4,096 such sets: where more than eight wait at once the one that waits shortest is forgotten.
_SLOT = Struct("=Qd")
_WAYS, _SETS = 8, 4096
_SET_BYTES = _WAYS * _SLOT.size
# How long a lock is waited for, and how often it is said that it was not had. In seconds.
_PATIENCE, _SAID_EVERY = 0.1, 60.0


class SlowDown(LedgerError):
    """Too often; to be tried again in ``wait`` seconds, which is its ``retry_after``."""

    def __init__(self, pattern: str, /, *, wait: int, **places: Any) -> None:
        self.retry_after = wait
        super().__init__(pattern, wait=wait, **places)


class Slowing:
    """What is left of each one's allowance, for all processes on a machine.

    ``failures`` and ``requests``: how many a minute; 0 for any number.
    """

    def __init__(self, path: Path, failures: int, requests: int) -> None:
        self._path = path
        self._failures = failures
        self.requests = requests
        self._lock = FileLock(path.with_name(path.name + ".lock"), _PATIENCE)
        self._handle: int | None = None
        self._said = -_SAID_EVERY

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._lock.close()

    def failed(self, address: str, token_id: str | None) -> None:
        """Count a failed attempt from ``address`` at the token of that id; SlowDown when there were
        too many of either."""
        if not self._failures:
            return
        wait = self._take(f"from {_whose(address)}", self._failures)
        if not wait and token_id:
            wait = self._take(f"token {token_id}", self._failures)
        if wait:
            raise SlowDown(
                "Too many attempts with tokens that are none; try again in {wait} s.",
                wait=wait,
            )

    def asked(self, token_id: str) -> None:
        """Count a request of a token; SlowDown when there were too many."""
        wait = self._take(f"requests of {token_id}", self.requests)
        if wait:
            raise SlowDown(
                "This token has {requests} requests a minute; try again in {wait} s.",
                wait=wait,
                requests=self.requests,
            )

    def _take(self, key: str, limit: int) -> int:
        """Take one of the key's ``limit`` a minute: 0, or the seconds until there is one again."""
        named = blake2b(key.encode("utf-8", "backslashreplace"), digest_size=8).digest()
        number = int.from_bytes(named, "little") or 1
        try:
            with self._lock.held():
                return self._taken(number, limit)
        except (NotReady, OSError) as why:
            self._complain(why)
            return 0

    def _taken(self, number: int, limit: int) -> int:
        handle = self._opened()
        place = number % _SETS * _SET_BYTES
        slots = list(
            _SLOT.iter_unpack(os.pread(handle, _SET_BYTES, place).ljust(_SET_BYTES, b"\0"))
        )
        moment, share = time.monotonic(), _MINUTE / limit
        # A moment farther off is of before the machine was started.
        ends = [end if moment < end <= moment + _MINUTE else moment for _, end in slots]
        keys = [key for key, _ in slots]
        at = keys.index(number) if number in keys else ends.index(min(ends))
        end = ends[at] if keys[at] == number else moment
        wait = end - moment - (_MINUTE - share)
        # What is left of a sum of shares is no wait.
        if wait > share * 1e-6:
            return ceil(wait)
        os.pwrite(handle, _SLOT.pack(number, end + share), place + at * _SLOT.size)
        return 0

    def _opened(self) -> int:
        if self._handle is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(self._path, flags, 0o600)
        return self._handle

    def _complain(self, why: Exception) -> None:
        if time.monotonic() - self._said >= _SAID_EVERY:
            self._said = time.monotonic()
            log.warning("nobody is slowed down: %s", why)


@lru_cache(maxsize=1024)
def _whose(address: str) -> str:
    """Whoever has an address of IPv6 has the 2^64 beside it."""
    with suppress(ValueError):
        found = ip_address(address)
        if isinstance(found, IPv6Address):
            return f"{IPv6Address(int(found) >> 64 << 64)}"
    return address
