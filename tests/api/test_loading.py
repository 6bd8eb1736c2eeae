"""The short way of loading leads where marshmallow's own leads, for whatever is sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields, pre_load

from api import schemas
from api.loading import Loader
from domain.errors import Invalid
from tests.api.office import BODIES, NOBODY, a_tip

TAKEN: list[tuple[Schema, dict[str, Any]]] = [
    (
        schemas.LeadIn(),
        a_tip(
            NOBODY,
            summary=" 一期\n二期 ",
            investor={"name": "示例投资方", "country": "CN"},
            industry="C397",
            contact={"name": None, "phone": "0517-83590000"},
            note=None,
        ),
    ),
    (schemas.MemberIn(), {"number": "1", "name": "王", "district": "320812"}),
    (schemas.ScreeningIn(), BODIES["screening"]),
    (schemas.NegotiationIn(), BODIES["negotiation"]),
    (schemas.FollowUpIn(), BODIES["follow-ups"]),
    (schemas.SigningPlanIn(), BODIES["signing-plan"]),
    (schemas.SigningIn(), BODIES["signing"]),
    (schemas.GroundbreakingIn(), BODIES["groundbreaking"]),
    (schemas.SuspensionIn(), BODIES["suspension"]),
    (schemas.ClosureIn(), BODIES["closure"]),
    (schemas.RevisionIn(), {**BODIES["revision"], "investor": None}),
    (schemas.LeadsQuery(), {"limit": "7", "from": "2025-01-01", "suspended": "true"}),
    (schemas.SeriesQuery(), {"from": "2025-01-01", "to": "2025-02-01", "district": "32"}),
]
WRONG = st.sampled_from(
    [
        None,
        "",
        " ",
        "x" * 5000,
        0,
        -1,
        1.5,
        True,
        [],
        {},
        "a\u202eb",
        "2025-02-30",
        [None],
        {"a": 1},
    ]
)
names = st.sampled_from([name for _, body in TAKEN for name in body] + ["amount", "unit", "extra"])


def by_marshmallow(schema: Schema, data: Any) -> Any:
    """What the schema itself makes of ``data``; None when it refuses."""
    try:
        return schema.load(data)
    except ValidationError:
        return None


def by_loader(schema: Schema, data: Any) -> Any:
    """What the loader makes of ``data``; None when it refuses."""
    try:
        return Loader(schema).load(data)
    except Invalid:
        return None


@pytest.mark.parametrize(("schema", "body"), TAKEN)
def test_a_right_body_is_loaded_the_short_way_as_by_marshmallow(
    schema: Schema, body: dict[str, Any]
) -> None:
    quick = Loader(schema).read(body)
    assert quick == schema.load(body)
    assert list(quick) == list(schema.load(body))
    assert Loader(schema).read(body) is not quick


@given(
    st.sampled_from(TAKEN),
    st.dictionaries(names, WRONG, max_size=2),
    st.sets(names, max_size=2),
)
def test_whatever_is_sent_is_taken_or_refused_as_by_marshmallow(
    taken: tuple[Schema, dict[str, Any]], changed: dict[str, Any], left_out: set[str]
) -> None:
    schema, body = taken
    sent = {k: v for k, v in {**body, **changed}.items() if k not in left_out}
    assert by_loader(schema, sent) == by_marshmallow(schema, sent)


@given(WRONG, st.sampled_from(["investor", "investment", "contact"]), names)
def test_a_fault_within_is_found_as_by_marshmallow(value: Any, field: str, name: str) -> None:
    sent = a_tip(NOBODY, **{field: {name: value}})
    assert by_loader(schemas.LeadIn(), sent) == by_marshmallow(schemas.LeadIn(), sent)


@pytest.mark.parametrize("body", [None, [], "x", 1, [{}]])
def test_what_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(Invalid):
        Loader(schemas.LeadIn()).load(body)


def test_money_that_does_not_fit_its_unit_is_refused_by_name() -> None:
    wrong = a_tip(NOBODY, investment={"amount": "0.001", "unit": "元"})
    with pytest.raises(Invalid) as refused:
        Loader(schemas.LeadIn()).load(wrong)
    assert set(refused.value.errors) == {"investment.amount"}


def test_each_load_has_a_default_of_its_own() -> None:
    loader = Loader(schemas.NegotiationIn())
    first, second = (loader.load({"occurred_on": "2025-01-01"}) for _ in range(2))
    assert first["waivers"] == [] and first["waivers"] is not second["waivers"]


def test_a_schema_that_changes_what_was_sent_is_left_to_marshmallow() -> None:
    class Doubled(Schema):
        number = fields.Integer(required=True)

        @pre_load
        def _double(self, data: dict[str, int], **_: Any) -> dict[str, int]:
            return {"number": data["number"] * 2}

    assert Loader(Doubled()).load({"number": 2}) == {"number": 4}
