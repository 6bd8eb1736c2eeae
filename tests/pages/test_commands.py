"""The forms of a lead: all the API's commands, and exactly those that it takes."""

from typing import Any

import pytest

from api.leads import COMMANDS
from api.pages.commands import CORRECTION, FORMS
from api.pages.words import EVENTS, FACTS
from api.pages.worklist import ANSWERS
from domain.correction import CORRECTABLE, HAPPENS
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor

ALL = (*FORMS, CORRECTION)
# What every step's schema takes besides, which an administrator is asked apart.
_APART = frozenset({"waivers"})


def test_every_command_of_the_api_has_its_form() -> None:
    assert {form.command for form in ALL} == COMMANDS.keys()


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.name)
def test_a_form_asks_for_every_field_of_its_schema(form: Any) -> None:
    asked = {*form.asks, *form.fixed}
    assert asked == form.schema.load_fields.keys() - _APART


def test_every_event_that_a_command_records_is_some_forms() -> None:
    following = {"lead.members_joined", "lead.members_left"}
    assert {form.event for form in FORMS} == HAPPENS.keys() - following


def test_what_the_worklist_waits_for_has_its_form() -> None:
    assert {answer.command for answer in ANSWERS.values()} <= {form.name for form in FORMS}


def test_every_event_and_every_fact_has_a_name() -> None:
    assert {f"lead.{event}" for event in EVENTS} >= CORRECTABLE.keys()
    for form in ALL:
        assert set(form.asks) - {"facts"} <= FACTS.keys(), form.name


# Where a lead stands → what brings it there
STANDINGS = {
    "tip": (),
    "negotiating": ("negotiation",),
    "suspended": ("negotiation", "suspension"),
    "signed": ("negotiation", "signing"),
    "groundbroken": ("negotiation", "signing", "groundbreaking"),
    "closed": ("closure",),
}


def _stand(office: Office, member: Any, commands: tuple[str, ...]) -> Any:
    lead = office.officer.tip(member["id"])
    for command in commands:
        lead = office.officer.command(lead, command)
    return lead


def _forms_on(page: Seen) -> set[str]:
    links = [one["href"] or "" for one in page.all("a")]
    return {link.partition("/do/")[2].partition("?")[0] for link in links if "/do/" in link}


@pytest.mark.parametrize("standing", STANDINGS)
def test_a_page_offers_exactly_what_the_api_takes(
    office: Office, visitor: Visitor, standing: str
) -> None:
    member = office.officer.register()
    lead = _stand(office, member, STANDINGS[standing])
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    offered = _forms_on(visitor.see(f"/leads/{lead['id']}")) - {"correction"}
    taken = set()
    for form in FORMS:
        body = {**_body(form, member, lead, standing), **form.fixed}
        answer = office.officer.post(f"/v1/leads/{lead['id']}/{form.command}", body)
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200 and (answer.json or {})["version"] > lead["version"]:
            taken.add(form.name)
            lead = _stand(office, member, STANDINGS[standing])
    assert offered == taken


def _body(form: Any, member: Any, lead: Any, standing: str) -> dict[str, Any]:
    outcome = {"tip": "declined", "signed": "rescinded"}.get(standing, "lost")
    told: dict[str, Any] = {
        "screening": {"verdict": "pursue"},
        "negotiation": {"responsible_unit": "商务局"},
        "signing": {"number": "HT-1", "investment": {"amount": "31", "unit": "亿元"}},
        "framework": {"number": "HT-2"},
        "groundbreaking": {
            "start": "opening",
            "evidence": [{"kind": "permit", "reference": "施-1"}],
        },
        "follow-up": {"form": "visit", "result": "去了"},
        "signing-plan": {"expected_on": "2027-01-15"},
        "recognition": {"stage": "signed", "authority": "市商务局"},
        "suspension": {"reason": "等土地吧", "review_on": "2027-08-01"},
        "closure": {"outcome": outcome, "reason": "不合适"},
        "reopening": {"reason": "又来了"},
        "transfer": {"district": "320871", "reason": "落在那里"},
        "transfer-refusal": {"reason": "不收"},
        "revision": {"title": "新的名称"},
        "credit": {"shares": [{"member": member["id"], "share": "1"}], "reason": "首报"},
    }
    return {"occurred_on": lead["last_activity_on"], **told.get(form.name, {})}
