"""Members in a form: chosen from a list, or, where they are too many for one, found by typing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from api.auth import scope
from api.endpoint import ledger
from api.schemas import is_id
from domain.errors import Invalid, NotFound

# From so many members on they are no list to choose from; and how many are then suggested.
_LISTED, _SUGGESTED = 300, 20


class People(NamedTuple):
    """Those who may be chosen, each an ``id`` and ``called``; or, if they are too ``many``, the
    first of those whose name or number has in it what was typed."""

    many: bool
    them: Sequence[Mapping[str, Any]]


def people(typed: str) -> People:
    """Those who may tip."""
    found = ledger().reads.members_called("", _LISTED + 1, scope())
    if len(found) <= _LISTED:
        return People(False, found)
    return People(True, ledger().reads.members_called(typed, _SUGGESTED, scope()))


def called(member_id: str) -> str:
    """What a member who is found by typing is called; of one whom nobody here may see, the id."""
    try:
        found = ledger().reads.member(UUID(member_id), scope())
    except NotFound:
        return member_id
    return f"{found['name']}（{found['number']}）"


def those(typed: Mapping[str, str], known: Mapping[str, str] = {}) -> Iterator[str]:
    """The ids of the members that were chosen, or typed by name or number, by the names of their
    fields. ``known``: what some are called → their ids. Invalid where it is not clear who is
    meant."""
    for place, words in typed.items():
        if is_id(words) or words in known:
            yield known.get(words, words)
            continue
        found = ledger().reads.members_so_called(words, scope())
        if not found:
            raise Invalid.of(place, "No member has the number or the name {words}.", words=words)
        if len(found) > 1:
            why = "More than one member is called {words}: give the number."
            raise Invalid.of(place, why, words=words)
        yield found[0]
