"""总览: the year's sentence, where every lead stands, and how that came about."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from flask import Response

from api.auth import scope
from api.endpoint import ledger
from api.pages import figures
from api.pages.ledger import rows_of
from api.pages.look import may
from api.pages.session import holder
from api.pages.site import page, show
from api.pages.texts import gettext
from api.pages.travel import Travel, TravelQuery, travel
from api.windows import selection
from domain.errors import NotFound
from domain.stage import LABELS, STAGES
from service.projections.groups import BY as GROUPED_BY
from service.projections.lead_list import Question
from service.projections.store import FOREVER, LAST_DAY
from service.reports.annual import RULES
from service.reports.asked import Asked, asked_for
from service.scope import ALL

_READ = "read the pipeline"
# So many leads about to sign are shown, groups of leads, and leads behind a stage.
_MOST_SIGNING, _MOST_GROUPS, _MOST_BEHIND = 6, 8, 200
# What is shown of a lead behind a number, besides its title.
_COLUMNS_BEHIND = ("members", "investment", "unit", "stage", "tip")
_CLAIMS: Mapping[str, str] = {rule.name: rule.label for rule in RULES}


def _again(refusal: Any, **_: Any) -> Response:
    """The present, and why what was asked for cannot be shown."""
    return _shown(Travel(None, None, None), refusal, refusal["status"])


@page("/", _READ, query=TravelQuery(), again=_again)
def overview(query: dict[str, Any]) -> Response:
    """The year as of a day, as known at a moment."""
    return _shown(travel(query))


def _shown(when: Travel, refusal: Any = None, status: int = 200) -> Response:
    office, chosen = ledger(), selection({})
    start = when.end.replace(month=1, day=1)
    report = _report(when)
    book = office.reads.pipeline(chosen, start, when.end, when.position)
    series = office.reads.series(chosen, start, when.end, when.position, "week")
    return show(
        "overview.html",
        status,
        refusal=refusal,
        when=when,
        start=start,
        report=report,
        sentence=list(linked(report, when)),
        book=book,
        most=max(stage["standing"]["count"] for stage in book["stages"]) or 1,
        series=series,
        chart=_chart(series),
        groups=[_groups(when, by) for by in GROUPED_BY],
        signing=list(_about_to_sign(when)),
        checkpoint=_checkpoint(),
        year_ends=[year for year in (when.end.year - 1, when.end.year) if _is_over(year)],
    )


def _report(when: Travel) -> dict[str, Any]:
    return ledger().reports.summary(_asked(when), when.position, scope())


def _asked(when: Travel) -> Asked:
    return asked_for(when.end.year, when.end, scope().district)


def _is_over(year: int) -> bool:
    return date(year, 12, 31) <= Travel(None, None, None).end


class Piece(NamedTuple):
    """A part of the sentence, and the address of the leads behind it (None: it is no number)."""

    text: str
    address: str | None = None


def linked(report: Mapping[str, Any], when: Travel) -> Iterator[Piece]:
    """The report's sentence in pieces: each number leads to the leads behind it."""
    text: str = report["text"]
    done = 0
    for start, end, name in sorted(_numbers(report)):
        yield Piece(text[done:start])
        yield Piece(text[start:end], when.to(f"/behind/{name}"))
        done = end
    yield Piece(text[done:])


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """Where in the sentence each claim's number stands, or the lead that is named for it."""
    values = {claim["name"]: claim["value"] for claim in report["claims"]}
    for rule in RULES:
        before, _, after = rule.clause.replace("{largest}", "{value}").partition("{value}")
        number = f"{values[rule.name]}" if "{value}" in rule.clause else "(?:.+)"
        clause = re.search(f"{re.escape(before)}({number}){re.escape(after)}", report["text"])
        if clause and values[rule.name]:
            yield clause.start(1), clause.end(1), rule.name


def _chart(series: Mapping[str, Any]) -> dict[str, Any]:
    """What the area chart draws: a line of counts for each stage that is not the end of it."""
    points = series["points"]
    return {
        "days": [point["on"] for point in points],
        "labels": [figures.short_day(point["on"]) for point in points],
        "stages": [
            {
                "stage": stage,
                "label": gettext(LABELS[stage]),
                "counts": [point["stages"][stage]["count"] for point in points],
            }
            for stage in STAGES
        ],
    }


def _groups(when: Travel, by: str) -> dict[str, Any]:
    """The largest groups by industry or sector, what is left of the others (None: nothing), and
    the amount that fills a bar."""
    found = ledger().reads.groups(selection({}), when.end, when.position, by)["lines"]
    rest = found[_MOST_GROUPS:]
    return {
        "by": by,
        "lines": found[:_MOST_GROUPS],
        "most": max((Decimal(line["cny"]) for line in found), default=Decimal(0)) or 1,
        "rest": rest
        and {
            "groups": len(rest),
            "count": sum(line["count"] for line in rest),
            "cny": f"{sum(Decimal(line['cny']) for line in rest)}",
        },
    }


def _about_to_sign(when: Travel) -> Iterator[dict[str, Any]]:
    """The leads about to sign, the soonest first, each with the days that it was expected on."""
    if when.words and scope() == ALL:
        found = ledger().reports.about_to_sign(_asked(when), _MOST_SIGNING, when.position)
    else:
        found = list(map(orjson.loads, _bodies(when, _MOST_SIGNING, about_to_sign=True)))
    for lead in sorted(found, key=lambda lead: lead["expected_signing_on"] or "9999"):
        steps = ledger().reads.history(UUID(lead["id"]), known_at=when.position)
        planned = [
            step["facts"]["expected_on"]
            for step in steps
            if step["event"] == "signing_planned" and step["occurred_on"] <= f"{when.end}"
        ]
        yield {"lead": lead, "expected": [day for day in planned if day is not None]}


def _bodies(when: Travel, limit: int, **which: Any) -> list[bytes]:
    """The JSON of the leads of the largest amounts."""
    question = Question(
        selection=selection({}, **which),
        sort="amount",
        descending=True,
        limit=limit,
        as_of=LAST_DAY if when.day is None else f"{when.day}",
        known_at=FOREVER - 1 if when.position is None else when.position,
    )
    return ledger().reads.leads(question).bodies


def _checkpoint() -> Any:
    """The last checkpoint, for whoever may audit; None for others, and before the first."""
    if not may(holder(), "audit"):
        return None
    try:
        return ledger().audit.checkpoint()
    except NotFound:
        return None


@page("/behind/<what>", _READ, query=TravelQuery())
def behind(what: str, query: dict[str, Any]) -> Response:
    """The leads behind a number of the sentence, or that stand in a stage."""
    when = travel(query)
    label, count, bodies = _behind(what, when)
    rows = rows_of(bodies, _COLUMNS_BEHIND, when)
    return show("behind.html", label=label, count_of=count, rows=rows, when=when, most=_MOST_BEHIND)


def _behind(what: str, when: Travel) -> tuple[str, int, Sequence[bytes]]:
    """What is asked for, how many leads that are, and the JSON of those of the largest amounts."""
    if what in STAGES:
        bodies = _bodies(when, _MOST_BEHIND, stage=what)
        return LABELS[what], _standing(when)[what], bodies
    if what not in _CLAIMS:
        raise NotFound("There is no number called '{what}'.", what=what[:40])
    asked = _asked(when)
    count, found = ledger().reports.largest(asked, what, _MOST_BEHIND, when.position, scope())
    return _CLAIMS[what], count, [orjson.dumps(lead) for lead in found]


def _standing(when: Travel) -> Mapping[str, int]:
    """How many leads stand in each stage."""
    start = when.end.replace(month=1, day=1)
    book = ledger().reads.pipeline(selection({}), start, when.end, when.position)
    return {stage["stage"]: stage["standing"]["count"] for stage in book["stages"]}
