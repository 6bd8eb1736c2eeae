"""The year 2025 comes out right: the published sentence, and every day before it by hand."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.stage import STAGES
from service.application import Ledger
from service.cli import DEMO
from service.projections.choosing import Selection
from tests.service.helpers import check_projections, ledger_in
from tests.service.sheets import take_in

SHARED = Path("/work/shared/data/ledger-2025.csv")
YI = 100_000_000

# (count, 亿元) of each stage.
Figures = dict[str, tuple[int, float]]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The ledger of 2025, as it was imported."""
    with ledger_in(tmp_path_factory.mktemp("2025")) as opened:
        assert take_in(opened, DEMO).leads == 11
        yield opened


def asked(ledger: Ledger, to: str, start: str = "2025-01-01", **chosen: Any) -> Any:
    """The pipeline of that window."""
    return ledger.reads.pipeline(
        Selection(**chosen), date.fromisoformat(start), date.fromisoformat(to), None
    )


def figures(answer: Any, rule: str) -> Figures:
    """What each stage says by that counting rule, stages with nothing left out."""
    found = {}
    for stage in answer["stages"]:
        count, cny = stage[rule]["count"], float(stage[rule]["cny"])
        if count or cny:
            found[stage["stage"]] = (count, cny / YI)
    return found


def test_the_copy_in_the_project_is_the_ledger_that_was_handed_to_us() -> None:
    if not SHARED.exists():
        pytest.skip("the shared data are not on this machine")
    assert DEMO.read_bytes() == SHARED.read_bytes()


def test_the_published_sentence_of_2025(ledger: Ledger) -> None:
    answer = asked(ledger, "2025-12-29")
    assert answer["tips"] == 11
    assert {stage["stage"]: stage["standing"] for stage in answer["stages"]} == {
        "tip": {"count": 3, "cny": "90000000"},
        "negotiating": {"count": 6, "cny": "3480000000"},
        "signed": {"count": 1, "cny": "120000000"},
        "groundbroken": {"count": 1, "cny": "160000000"},
        "closed": {"count": 0, "cny": "0"},
    }
    assert answer["about_to_sign"] == {"count": 1, "cny": "3000000000"}
    assert answer["landed"] == {"count": 2, "cny": "280000000"}
    assert answer["balanced"] is True
    assert (answer["from"], answer["to"]) == ("2025-01-01", "2025-12-29")
    assert set(answer["stages"][-1]["outcomes"].values()) == {0}
    assert [stage["label"] for stage in answer["stages"]] == [
        "信息",
        "在谈",
        "签约",
        "开工",
        "终止",
    ]


def test_what_entered_left_and_was_reached_in_2025(ledger: Ledger) -> None:
    answer = asked(ledger, "2025-12-29")
    all_tips, talks, contracts, works = (11, 38.5), (8, 37.6), (2, 2.8), (1, 1.6)
    entered = {"tip": all_tips, "negotiating": talks, "signed": contracts, "groundbroken": works}
    assert figures(answer, "entered") == entered
    assert figures(answer, "left") == {"tip": talks, "negotiating": contracts, "signed": works}
    assert figures(answer, "reached") == entered


@pytest.mark.parametrize(
    ("to", "tips", "standing", "about_to_sign"),
    [
        ("2025-01-08", 0, {}, 0),
        ("2025-01-09", 1, {"tip": (1, 1.6)}, 0),
        ("2025-01-20", 1, {"negotiating": (1, 1.6)}, 0),
        ("2025-03-31", 4, {"tip": (2, 30.8), "negotiating": (2, 2.8)}, 0),
        ("2025-04-02", 4, {"tip": (1, 0.8), "negotiating": (3, 32.8)}, 1),
        ("2025-04-10", 4, {"tip": (1, 0.8), "negotiating": (3, 32.8)}, 1),
        ("2025-04-11", 4, {"tip": (1, 0.8), "negotiating": (2, 31.2), "signed": (1, 1.6)}, 1),
        ("2025-06-30", 6, {"tip": (1, 0.5), "negotiating": (4, 34.5), "signed": (1, 1.6)}, 1),
        ("2025-09-25", 9, {"tip": (1, 0.3), "negotiating": (7, 36.0), "signed": (1, 1.6)}, 1),
        (
            "2025-09-26",
            9,
            {"tip": (1, 0.3), "negotiating": (7, 36.0), "groundbroken": (1, 1.6)},
            1,
        ),
        (
            "2025-10-22",
            9,
            {
                "tip": (1, 0.3),
                "negotiating": (6, 34.8),
                "signed": (1, 1.2),
                "groundbroken": (1, 1.6),
            },
            1,
        ),
    ],
)
def test_as_of_an_earlier_day(
    ledger: Ledger, to: str, tips: int, standing: Figures, about_to_sign: int
) -> None:
    answer = asked(ledger, to)
    assert answer["tips"] == tips
    assert figures(answer, "standing") == standing
    assert answer["about_to_sign"]["count"] == about_to_sign
    assert answer["about_to_sign"]["cny"] == ("3000000000" if about_to_sign else "0")
    landed = [standing.get(stage, (0, 0)) for stage in ("signed", "groundbroken")]
    assert answer["landed"]["count"] == sum(count for count, _ in landed)
    assert sum(count for count, _ in standing.values()) == tips
    assert answer["balanced"] is True


def test_the_second_half_of_2025_opens_with_what_the_first_half_closed_with(
    ledger: Ledger,
) -> None:
    first = asked(ledger, "2025-06-30")
    second = asked(ledger, "2025-12-29", "2025-07-01")
    assert (first["tips"], second["tips"]) == (6, 5)
    assert figures(second, "entered") == {
        "tip": (5, 1.9),
        "negotiating": (3, 1.5),
        "signed": (1, 1.2),
        "groundbroken": (1, 1.6),
    }
    moved = ledger.reads.movements(Selection(), date(2025, 7, 1), date(2025, 12, 29), None)
    assert figures(moved, "opening") == figures(first, "standing")
    assert figures(moved, "closing") == figures(second, "standing")
    assert moved["balanced"] is True


@pytest.mark.parametrize(
    ("chosen", "standing"),
    [
        (
            {"least_fen": YI * 100},
            {"negotiating": (3, 33.5), "signed": (1, 1.2), "groundbroken": (1, 1.6)},
        ),
        ({"industry": "C39"}, {"tip": (1, 0.6), "negotiating": (1, 30.0)}),
        (
            {"sector": "工商联"},
            {"tip": (1, 0.3), "negotiating": (1, 0.8), "groundbroken": (1, 1.6)},
        ),
        ({"district": "3208"}, None),
        ({"district": "3209"}, {}),
    ],
)
def test_a_selection_of_the_year_counts_its_own_leads_only(
    ledger: Ledger, chosen: dict[str, Any], standing: Figures | None
) -> None:
    """一亿元以上 includes the number itself: project 8, of exactly 1 亿元, is among them."""
    answer = asked(ledger, "2025-12-29", **chosen)
    whole = figures(asked(ledger, "2025-12-29"), "standing")
    assert figures(answer, "standing") == (whole if standing is None else standing)
    assert answer["balanced"] is True


def test_the_series_of_2025_ends_where_the_pipeline_stands(ledger: Ledger) -> None:
    answer = ledger.reads.series(Selection(), date(2025, 1, 1), date(2025, 12, 29), None, "month")
    assert [point["on"] for point in answer["points"]][-1] == "2025-12-29"
    for point in answer["points"]:
        stages = asked(ledger, point["on"])["stages"]
        assert point["stages"] == {s["stage"]: s["standing"] for s in stages}
    assert list(answer["points"][0]["stages"]) == list(STAGES)


def test_the_ledger_of_2025_is_the_same_when_its_projections_are_made_anew(
    ledger: Ledger,
) -> None:
    check_projections(ledger)
