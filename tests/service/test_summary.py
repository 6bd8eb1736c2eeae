"""The report without its leads, told from sums, is the report that looks at every lead."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.money import fen_of
from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.lead_list import Question
from service.projections.store import FOREVER
from service.reports.asked import Asked, asked_for
from service.scope import ALL, Scope
from tests.service.helpers import journeys, ledger_in

ENDS = [date(2025, 12, 31), date(2025, 6, 30), date(2025, 4, 15), date(2024, 12, 31)]
WITHIN = Scope(district="320812")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Leads on which everything was done."""
    with ledger_in(Path(tmp_path_factory.mktemp("summary"))) as found:
        journeys(found)
        yield found


def slowly(ledger: Ledger, asked: Asked, known_at: int | None, scope: Scope = ALL) -> Any:
    """The summary, from the report that looks at each lead."""
    told = ledger.reports.annual(asked, known_at, scope)
    claims = [{k: v for k, v in claim.items() if k != "leads"} for claim in told["claims"]]
    return {**told, "claims": claims}


@pytest.mark.parametrize("end", ENDS)
def test_the_summary_is_the_report_whenever_it_was_known(ledger: Ledger, end: date) -> None:
    asked, last = asked_for(end.year, end, None), ledger.reads.position()
    told = set()
    for known_at in (None, *range(0, last + 1, 3)):
        summary = ledger.reports.summary(asked, known_at)
        assert summary == slowly(ledger, asked, known_at), known_at
        told.add(summary["text"])
    assert len(told) > 2 or end.year < 2025


@pytest.mark.parametrize("scope", [WITHIN, Scope(district="32"), Scope(district="3201")])
def test_of_a_district_too(ledger: Ledger, scope: Scope) -> None:
    asked = asked_for(2025, date(2025, 12, 31), scope.district)
    assert ledger.reports.summary(asked, None, scope) == slowly(ledger, asked, None, scope)


@pytest.mark.parametrize("end", ENDS[:3])
@pytest.mark.parametrize("scope", [ALL, Scope(district="32")])
def test_the_largest_are_those_behind_the_number(ledger: Ledger, end: date, scope: Scope) -> None:
    asked = asked_for(end.year, end, scope.district)
    report = ledger.reports.annual(asked, None, scope)
    found = 0
    for claim in report["claims"]:
        count, leads = ledger.reports.largest(asked, claim["name"], 1000, None, scope)
        assert count == len(leads) == claim["value"]
        assert sorted(lead["id"] for lead in leads) == sorted(claim["leads"])
        money = [lead["investment"] for lead in leads]
        fen = [(fen_of(one["amount"], one["unit"]) or 0) if one else 0 for one in money]
        assert fen == sorted(fen, reverse=True)
        count, some = ledger.reports.largest(asked, claim["name"], 2, None, scope)
        assert (count, some) == (len(leads), leads[:2])
        found += count
    assert found


@pytest.mark.parametrize("end", [date(2025, 12, 31), date(2025, 6, 30), date(2025, 4, 15)])
@pytest.mark.parametrize("known", [None, 0.6])
def test_those_about_to_sign_are_the_list_of_them(
    ledger: Ledger, end: date, known: float | None
) -> None:
    known_at = None if known is None else int(ledger.reads.position() * known)
    question = Question(
        Selection(about_to_sign=True),
        sort="amount",
        descending=True,
        limit=2,
        as_of=f"{end}",
        known_at=FOREVER - 1 if known_at is None else known_at,
    )
    listed = [orjson.loads(body) for body in ledger.reads.leads(question).bodies]
    assert ledger.reports.about_to_sign(asked_for(end.year, end, None), 2, known_at) == listed


def test_what_was_recorded_since_is_told(ledger: Ledger) -> None:
    asked = [asked_for(end.year, end, None) for end in ENDS]
    before = [ledger.reports.summary(one) for one in asked]
    journeys(ledger, numbers="QJP-1")
    after = [ledger.reports.summary(one) for one in asked]
    assert after == [slowly(ledger, one, None) for one in asked]
    assert [one["text"] for one in after] != [one["text"] for one in before]
