"""A lead as one line of cells: what the office's sheets and the exports say of it.

The line is kept with the lead, so that a million leads are written out without reading the JSON
of any. Amounts are told as a paper ledger tells them: what was planned, and what was agreed.
"""

from collections.abc import Mapping
from typing import Any

from domain.stage import GROUNDBROKEN, NEGOTIATING, SIGNED, TIP
from service.personal.contacts import cells_of_contact
from service.projections.members import Person
from service.projections.view import View

# Can stand in no text that the ledger keeps, as those below.
BETWEEN = "\x1f"
# How a cell tells of what would end its line.
BREAKS = {"\n": "\x1e", "\r": "\x1d"}

# What each cell says, in this order; '' where nothing is known, 1 and 0 for yes and no.
NAMES = tuple(
    "number title members sector district tip_on investor uscc industry planned planned_unit "
    "negotiating_on responsible_unit manager expected_signing_on agreement_on agreement agreed "
    "agreed_unit groundbroken_on evidence closed_on outcome reason note course "
    "id version stage about_to_sign suspended review_on screened investment investment_unit cny "
    "member_names summary country contact_name contact_phone contract_number start lost_to "
    "duplicate_of signed_recognised_on groundbroken_recognised_on last_activity_on "
    "recorded_at stands_in".split()
)

_NOTHING: Mapping[str, Any] = {}


def tell_members(view: View, people: Mapping[str, Person]) -> None:
    """Keep who reported it, as a paper ledger names them: by number, whose sector is the first's.

    The number of a member of another district than the tip's is told with that.
    """
    lead, told = view.lead, view.private["sheet"]
    reporters = view.private.get("own") or [member["id"] for member in lead["members"]]
    reported = [people[member_id] for member_id in reporters]
    told["members"] = ";".join([_named(person, told["district"]) for person in reported])
    told["sector"] = reported[0].sector


def _named(person: Person, district: str) -> str:
    if person.district == district:
        return person.number
    return f"{person.number}@{person.district}"


def cells_of(number: int, lead: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """The line of a lead; ``number`` is its own in the log, for one that no paper numbered."""
    source = lead["source"] or _NOTHING
    investor, contact = lead["investor"] or _NOTHING, lead["contact"]
    dates, recognised = lead["dates"], lead["recognised"]
    money = lead["investment"] or _NOTHING
    contract_number, agreed_too = told.get("contract") or (None, False)
    agreed = money if agreed_too and dates[SIGNED] else _NOTHING
    planned = (told["planned"] or _NOTHING) if agreed else money
    values = (
        source.get("number") or f"#{number}",
        lead["title"],
        told["members"],
        told["sector"],
        told["district"],
        dates[TIP],
        investor.get("name"),
        investor.get("uscc"),
        lead["industry"],
        planned.get("amount"),
        planned.get("unit"),
        dates[NEGOTIATING],
        lead["responsible_unit"],
        lead["manager"],
        lead["expected_signing_on"],
        *_agreement(dates[SIGNED], told.get("framework_on")),
        agreed.get("amount"),
        agreed.get("unit"),
        dates[GROUNDBROKEN],
        told.get("evidence"),
        dates["closed"],
        lead["outcome"],
        told.get("reason"),
        told["note"],
        "; ".join(told["course"]),
        lead["id"],
        str(lead["version"]),
        lead["stage"],
        "1" if lead["about_to_sign"] else "0",
        "1" if lead["suspended"] else "0",
        lead["review_on"],
        lead["screened"],
        money.get("amount"),
        money.get("unit"),
        money.get("cny"),
        ";".join([member["name"] for member in lead["members"]]),
        lead["summary"],
        investor.get("country"),
        *(cells_of_contact(contact) if contact else (None, None)),
        contract_number if dates[SIGNED] else None,
        told.get("start") if dates[GROUNDBROKEN] else None,
        told.get("lost_to"),
        lead["duplicate_of"],
        recognised[SIGNED],
        recognised[GROUNDBROKEN],
        lead["last_activity_on"],
        lead["recorded_at"],
        lead["district"],
    )
    line = BETWEEN.join([value or "" for value in values])
    for char, told_as in BREAKS.items():
        if char in line:
            line = line.replace(char, told_as)
    return line


def _agreement(signed_on: str | None, framework_on: str | None) -> tuple[str | None, str | None]:
    """The day and the kind of what was agreed: the contract, else the last framework."""
    if signed_on or not framework_on:
        return signed_on, "contract" if signed_on else None
    return framework_on, "framework"
