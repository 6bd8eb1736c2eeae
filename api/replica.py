"""Which reads a replica answers, where there is one, and what they ask."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response

from api.app import application_context, request_now
from api.endpoint import ledger
from api.reply import Reply
from domain.errors import NotReady
from service.awaiting import position_in
from service.replica import Answering, Replica

View = Callable[..., Reply | Response]


def reading() -> Answering:
    """Who answers what this request reads: the ledger's own, or its replica's."""
    found: Answering | None = application_context().g.get("reading")
    return found or ledger().here


def reflected(position: int) -> int:
    """The position, if what this request reads has come to it. NotReady where a replica has not:
    then the ledger's own are asked."""
    reads = reading().reads
    if reads.follows and reads.seen_position < position:
        raise NotReady(
            "What is read here has not come to log position {position} yet.", position=position
        )
    return position


def by_replica(view: View) -> View:
    """Have a replica answer it if that has come as far as the client must see; else it is answered
    from where it is written. For a view that is a read, and asks ``reading()``."""

    @wraps(view)
    def answering(**path: Any) -> Reply | Response:
        replica, about = ledger().replica, application_context().g
        last = about.position
        come = _come(replica, last) if replica else None
        if replica is None or come is None:
            return view(**path)
        about.position, about.reading = come, replica.answers
        try:
            return view(**path)
        except NotReady:
            # It went away, or was asked for what it does not have yet.
            about.position, about.reading = last, None
            return view(**path)

    return answering


def _come(replica: Replica, last: int) -> int | None:
    """To which position it has come, for a client who names one, or must see the ``last``."""
    named = request_now().environ.get("HTTP_IF_LEDGER_POSITION")
    if named is None:
        return replica.come_to(last)
    return replica.come_to(position_in(named), ledger().settings.position_timeout)
