"""What is answered of a lead's JSON is the lead with its contact masked, and all else as it was."""

import service  # noqa: F401, I001 - a safe SQLite first

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application import Ledger
from service.personal.contacts import Contact, masked
from tests.service.helpers import call, follow, ledger_in, register, tip

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"contact":{', '\\"contact":{"subject":"', '{"contact":{"name":"}"}}', "}", '"', "\\"]
)
contacts = st.none() | st.fixed_dictionaries(
    {"name": st.none() | texts, "phone": st.none() | texts}
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger whose keys seal."""
    with ledger_in(Path(tmp_path_factory.mktemp("shown"))) as opened:
        yield opened


@given(texts, texts, contacts, st.booleans(), st.booleans())
def test_a_leads_json_keeps_all_but_its_contact(
    ledger: Ledger, before: str, after: str, contact: Any, sealed: bool, named: bool
) -> None:
    personal = ledger.personal
    kept = contact
    if contact is not None and sealed:
        kept = personal.sealed(contact, personal.person(contact, "a lead"))
    lead = {
        "title": before,
        "investor": {"name": before},
        "contact": kept,
        "source": {"row": after},
    }
    body, gone = personal.body(orjson.dumps(lead), named=named)
    assert not gone
    told = None
    if contact is not None:
        subject = {"subject": kept["subject"]} if sealed and named else {}
        told = {**subject, **masked(Contact(contact["name"], contact["phone"]))._asdict()}
    assert orjson.loads(body) == {**lead, "contact": told}
    assert personal.shown(lead, named=named) == {**lead, "contact": told}
    without = orjson.dumps({**lead, "contact": None})
    two = [without, orjson.dumps(lead)]
    assert personal.bodies(two * 2, named=named) == [without, body] * 2


def test_many_contacts_are_told_though_fewer_are_kept_in_memory(ledger: Ledger) -> None:
    people = [{"name": f"{n}", "phone": f"139{n:08d}"} for n in range(5000)]
    persons = ledger.personal.persons([(one, 0) for one in people])
    kept = [ledger.personal.sealed(*two) for two in zip(people, persons, strict=True)]
    bodies = ledger.personal.bodies([orjson.dumps({"contact": one}) for one in kept], named=False)
    told = [orjson.loads(body)["contact"]["phone"] for body in bodies]
    assert told == [f"{one['phone'][:3]}****{one['phone'][-4:]}" for one in people]


def test_a_contact_of_nobody_is_one_all_the_same(ledger: Ledger) -> None:
    nobody = {"name": None, "phone": None}
    lead = tip(ledger, register(ledger).subject, contact=nobody)
    assert {**lead.body["contact"], "subject": None} == {**nobody, "subject": None}
    assert follow(ledger, lead.subject, by=call()).version == 2
