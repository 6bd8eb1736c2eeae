"""Who calls, for the access records: set once per request or command, like the actor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from domain.errors import LedgerError


class Unauthenticated(LedgerError):
    """No token, or none that is good."""


class Caller(NamedTuple):
    """A token's id (None: none that is known) and name, from where it calls, and the request."""

    holder: str | None = None
    name: str | None = None
    origin: str | None = None
    request: str | None = None


# Who calls is asked by few of those who are called.
_calling: ContextVar[Callable[[], Caller]] = ContextVar("calling")
# What no request and no command did.
_NOBODY = Caller(name="the service itself")


def current_caller() -> Caller:
    """The caller of this request or command."""
    return _calling.get(lambda: _NOBODY)()


@contextmanager
def called_by(caller: Callable[[], Caller]) -> Iterator[None]:
    """Everything within is done for whom ``caller`` gives."""
    token = _calling.set(caller)
    try:
        yield
    finally:
        _calling.reset(token)
