"""What only a correction asks: which step is put right, and whom a tip should have named."""

from collections.abc import Mapping
from uuid import UUID

from api.endpoint import ledger
from api.pages.changing import Json, right_facts
from api.pages.commands import Choices, Form
from api.pages.people import People, called, people, those
from api.schemas import is_id

# A tip's members.
BY = "facts.members"


def by_their_ids(wanted: UUID, sent: Mapping[str, str]) -> dict[str, str]:
    """What was filled in, with the members' ids for what was typed of them; Invalid."""
    typed = {name: words for name, words in sent.items() if name.startswith(f"{BY}.")}
    if not typed:
        return {**sent}
    version = sent.get("version", "")
    named = right_facts(wanted, int(version)).get("members") if version.isdecimal() else None
    known = {called(one): one for one in named or ()}
    return {**sent, **dict(zip(typed, those(typed, known), strict=True))}


def people_for(what: Form, values: Mapping[str, str], typed: str) -> People | None:
    """The members that a tip may be corrected to name; None where none are asked for."""
    asks = what.name == "correction" and f"{BY}.0" in values
    return people(typed) if asks else None


def listed(them: People | None, values: Mapping[str, str]) -> Choices:
    """These to choose from, if they are not many, with those who have retired since."""
    if them is None or them.many:
        return {}
    found = {one["id"]: one["called"] for one in them.them}
    named = [id for name, id in values.items() if name.startswith(f"{BY}.") and is_id(id)]
    return {"members": [*{**{id: called(id) for id in named}, **found}.items()]}


def shown_as(name: str, value: str) -> str:
    """What a field shows of a member: never the id."""
    return called(value) if name.startswith(f"{BY}.") and is_id(value) else value


def righted(lead: Json, values: Mapping[str, str]) -> Json | None:
    """The step that is to be put right."""
    steps = ledger().reads.history(UUID(lead["id"]))
    return next((one for one in steps if f"{one['version']}" == values.get("version")), None)
