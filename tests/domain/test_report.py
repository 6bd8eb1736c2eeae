"""A sealed report: what it keeps, what its digest is of, and when it cannot be sealed yet."""

import hashlib
from typing import Any
from uuid import UUID

import pytest

from domain.errors import Invalid, Refused
from domain.report import DIGESTED, Report, digest_of
from tests.domain.given import TODAY, TOMORROW, Happened, office, recorded, refusal

CLAIMS = [{"name": "tips", "value": 11, "cny": None, "leads": ["lead-1", "lead-2"]}]
TOLD: dict[str, Any] = {
    "year": 2025,
    "start": "2025-01-01",
    "end": "2025-12-29",
    "district": "320812",
    "rule": "occurred",
    "known_at": 57,
    "text": "全年共收到线索11条。",
    "claims": CLAIMS,
}
# As a stranger would write it down: keys sorted, no spaces, Chinese as it is.
CANONICAL = (
    '{"claims":[{"cny":null,"leads":["lead-1","lead-2"],"name":"tips","value":11}],'
    '"district":"320812","end":"2025-12-29","kind":"annual","known_at":57,"rule":"occurred",'
    '"start":"2025-01-01","text":"全年共收到线索11条。","year":2025}'
)
DIGEST = hashlib.sha256(CANONICAL.encode()).hexdigest()


def seal(**facts: Any) -> Report:
    """Seal it, today."""
    with office():
        return Report.seal(**{"number": 1, "occurred_on": TODAY, **TOLD, **facts})


def test_it_keeps_everything_that_it_was_told_with_a_digest_that_anybody_can_make() -> None:
    assert recorded(seal()) == [
        Happened(
            Report.Sealed,
            {
                **TOLD,
                "number": 1,
                "kind": "annual",
                "digest": DIGEST,
                "occurred_on": TODAY,
                "note": None,
            },
        )
    ]


def test_its_claims_are_its_own() -> None:
    claims = [dict(claim) for claim in CLAIMS]
    report = seal(claims=claims)
    claims[0]["value"] = 12
    ((_, facts),) = recorded(report)
    assert facts["claims"] == CLAIMS


@pytest.mark.parametrize("name", DIGESTED)
def test_no_fact_can_be_another_with_the_same_digest(name: str) -> None:
    facts = {"kind": "annual", **TOLD}
    assert digest_of(facts) == DIGEST
    assert digest_of({**facts, "number": 9}) == DIGEST, "it is told by what it says alone"
    assert digest_of({**facts, name: "another"}) != DIGEST


def test_a_note_may_have_lines_and_an_empty_one_is_none() -> None:
    ((_, facts),) = recorded(seal(note="代替第一份\n见说明"))
    assert facts["note"] == "代替第一份\n见说明"
    ((_, facts),) = recorded(seal(note=""))
    assert facts["note"] is None


def test_a_note_has_at_most_two_thousand_characters() -> None:
    ((_, facts),) = recorded(seal(note="长" * 2000))
    assert len(facts["note"]) == 2000
    with refusal(Invalid, "note: "):
        seal(note="长" * 2001)


def test_what_is_still_to_come_is_not_sealed() -> None:
    ((_, facts),) = recorded(seal(end=TODAY))
    assert facts["end"] == TODAY
    told = f"The cut-off {TOMORROW} is still to come; a report is sealed once it is past."
    with refusal(Refused, told):
        seal(end=TOMORROW)


@pytest.mark.parametrize(("field", "named"), [("end", "to"), ("occurred_on", "occurred_on")])
def test_its_days_are_days(field: str, named: str) -> None:
    with refusal(Invalid, f"{named}: '2025-02-30'"):
        seal(**{field: "2025-02-30"})


def test_its_id_tells_year_district_and_number() -> None:
    # Kept for ever: a report is found again by them.
    assert Report.create_id("annual", 2025, None, 1) == UUID("57c04344-2d44-51f9-841e-104c27eccae5")
    assert Report.create_id("annual", 2025, "320812", 2) == UUID(
        "ec870016-6ea5-5aee-9d44-ec6a6a4e5c03"
    )
    assert seal().id == Report.create_id("annual", 2025, "320812", 1)
    assert seal(district=None, number=3).id == Report.create_id("annual", 2025, None, 3)
