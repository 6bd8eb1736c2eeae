"""Lists of leads: each filter, their combinations, every sort, and paging while others write."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

from tests.api.office import Body, Caller, Office, open_office, problem_of, settings_in
from tests.databases import folder_for
from tests.service.helpers import stored_leads

pytestmark = pytest.mark.both_databases

Lead = dict[str, Any]
# What each lead of the ground is tipped with, and how far it goes.
LEADS: list[tuple[Body, tuple[str, ...]]] = [
    ({"title": "12英寸大晶圆项目", "industry": "C397"}, ("negotiation", "signing-plan")),
    ({"title": "冷链物流园", "district": "320871", "industry": "G59"}, ("negotiation",)),
    ({"title": "光伏组件 PV", "investment": {"amount": "1", "unit": "亿元"}}, ()),
    ({"title": "a_b%c", "investment": {"amount": "0.99", "unit": "亿元"}}, ("closure",)),
    ({"title": "海外项目", "investment": {"amount": "2", "unit": "亿美元"}}, ("suspension",)),
    ({"title": "无金额", "investment": None, "district": "110101"}, ()),
    ({"title": "同额甲", "investment": {"amount": "5000", "unit": "万元"}}, ("negotiation",)),
    ({"title": "同额乙", "investment": {"amount": "5000", "unit": "万元"}}, ("screening",)),
    ({"title": "签了", "industry": "C26"}, ("negotiation", "signing")),
    ({"title": "开工了", "industry": "C39"}, ("negotiation", "signing", "groundbreaking")),
    ({"title": "零元", "investment": {"amount": "0", "unit": "元"}}, ("follow-ups",)),
    ({"title": "有投资方", "investor": {"name": "Wafer 晶圆公司"}}, ("suspension", "resumption")),
]
SORTS = [s + key for key in ("recorded", "occurred", "amount", "activity") for s in ("", "-")]


class Ground(NamedTuple):
    """The office, its three members (of two sectors), and its leads as they were answered."""

    office: Office
    members: list[str]
    leads: list[Lead]


def settle(office: Office) -> Ground:
    """Bring the leads of the table to where they go."""
    officer = office.officer
    sectors = ("工商联", "科技", "工商联")
    members = [officer.register(f"{n}", sector=sectors[n])["id"] for n in range(3)]
    leads = []
    for number, (facts, commands) in enumerate(LEADS):
        named = members[:2] if number % 4 == 3 else [members[number % 3]]
        day = f"2025-03-{18 - number % 5:02d}"
        lead = officer.tip(named[0], **{"members": named, "occurred_on": day, **facts})
        for command in commands:
            lead = officer.command(lead, command)
        leads.append(lead)
    return Ground(office, members, leads)


@pytest.fixture(scope="module")
def ground(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Leads that these tests only read."""
    office = open_office(settings_in(folder_for(database, tmp_path_factory, "lists")))
    yield settle(office)
    office.close()


def cny(lead: Lead) -> float | None:
    """The amount in yuan; None without one, or in foreign money."""
    money = lead["investment"]
    return float(money["cny"]) if money and money["cny"] else None


def words(lead: Lead) -> str:
    """What q looks through."""
    investor = lead["investor"]
    return f"{lead['title']}\n{investor['name'] if investor else ''}".lower()


# filter → which leads it lets through; "{m0}" is the first member's id.
FILTERS: dict[str, Callable[[Lead, list[str]], bool]] = {
    "stage=tip": lambda lead, _: lead["stage"] == "tip",
    "stage=negotiating": lambda lead, _: lead["stage"] == "negotiating",
    "stage=signed": lambda lead, _: lead["stage"] == "signed",
    "stage=groundbroken": lambda lead, _: lead["stage"] == "groundbroken",
    "stage=closed": lambda lead, _: lead["stage"] == "closed",
    "district=32": lambda lead, _: lead["district"].startswith("32"),
    "district=3208": lambda lead, _: lead["district"].startswith("3208"),
    "district=320871": lambda lead, _: lead["district"] == "320871",
    "district=31": lambda lead, _: False,
    "member={m0}": lambda lead, m: m[0] in [x["id"] for x in lead["members"]],
    "member={m2}": lambda lead, m: m[2] in [x["id"] for x in lead["members"]],
    "sector=科技": lambda lead, m: m[1] in [x["id"] for x in lead["members"]],
    "sector=无": lambda lead, _: False,
    "industry=C": lambda lead, _: (lead["industry"] or "").startswith("C"),
    "industry=C39": lambda lead, _: (lead["industry"] or "").startswith("C39"),
    # Without an amount in CNY a lead counts as 0, as in the book.
    "min_cny=100000000": lambda lead, _: (cny(lead) or 0) >= 100_000_000,
    "min_cny=1": lambda lead, _: bool(cny(lead)),
    "max_cny=99000000": lambda lead, _: (cny(lead) or 0) <= 99e6,
    "max_cny=0": lambda lead, _: not cny(lead),
    "about_to_sign=true": lambda lead, _: lead["about_to_sign"],
    "about_to_sign=false": lambda lead, _: not lead["about_to_sign"],
    "suspended=true": lambda lead, _: lead["suspended"],
    "suspended=false": lambda lead, _: not lead["suspended"],
    "from=2025-03-16": lambda lead, _: lead["dates"]["tip"] >= "2025-03-16",
    "to=2025-03-16": lambda lead, _: lead["dates"]["tip"] <= "2025-03-16",
    "q=项目": lambda lead, _: "项目" in words(lead),
    "q=晶圆": lambda lead, _: "晶圆" in words(lead),
    "q=wAFER": lambda lead, _: "wafer" in words(lead),
    "q=pv": lambda lead, _: "pv" in words(lead),
    "q=%25": lambda lead, _: "%" in words(lead),
    "q=_": lambda lead, _: "_" in words(lead),
    "q=%5C": lambda lead, _: False,
    "q='": lambda lead, _: False,
}
COMBINATIONS = [
    ("district=32", "stage=negotiating"),
    ("industry=C", "min_cny=100000000", "sector=工商联"),
    ("from=2025-03-15", "to=2025-03-17", "suspended=false"),
    ("min_cny=50000000", "max_cny=100000000"),
    ("member={m0}", "q=项目", "about_to_sign=true"),
    ("stage=tip", "district=3208", "member={m1}", "max_cny=100000000"),
]
HOLDS: dict[str, Callable[..., Any]] = {**FILTERS, "sector=工商联": lambda lead, m: True}
HOLDS["sector=工商联"] = lambda lead, m: bool({m[0], m[2]} & {x["id"] for x in lead["members"]})
HOLDS["from=2025-03-15"] = lambda lead, _: lead["dates"]["tip"] >= "2025-03-15"
HOLDS["to=2025-03-17"] = lambda lead, _: lead["dates"]["tip"] <= "2025-03-17"
HOLDS["min_cny=50000000"] = lambda lead, _: (cny(lead) or 0) >= 50_000_000
HOLDS["max_cny=100000000"] = lambda lead, _: (cny(lead) or 0) <= 1e8
HOLDS["member={m1}"] = lambda lead, m: m[1] in [x["id"] for x in lead["members"]]

KEYS: dict[str, Callable[[Lead], Any]] = {
    "recorded": lambda lead: 0,
    "occurred": lambda lead: lead["dates"]["tip"],
    "amount": lambda lead: cny(lead) or 0,
    "activity": lambda lead: lead["last_activity_on"],
}


def query_of(filters: tuple[str, ...], members: list[str]) -> str:
    """Filters as a query."""
    return "&".join(filters).format(m0=members[0], m1=members[1], m2=members[2])


def expected(ground: Ground, filters: tuple[str, ...], sort: str = "recorded") -> list[Lead]:
    """The leads that a list should show, by a model that knows no database."""
    found = [lead for lead in ground.leads if all(HOLDS[f](lead, ground.members) for f in filters)]
    # The order of recording breaks every tie, in the direction of the sort.
    order = ground.leads.index
    key = KEYS[sort.lstrip("-")]
    return sorted(found, key=lambda ld: (key(ld), order(ld)), reverse=sort.startswith("-"))


@pytest.mark.parametrize("filters", [*((f,) for f in FILTERS), *COMBINATIONS], ids="&".join)
def test_a_filter_lets_through_what_it_says(ground: Ground, filters: tuple[str, ...]) -> None:
    query = query_of(filters, ground.members)
    listed = ground.office.officer.ok(f"/v1/leads?{query}")
    assert listed["items"] == expected(ground, filters)


def test_every_filter_but_the_empty_ones_was_met_by_some_leads_and_not_by_others(
    ground: Ground,
) -> None:
    nobody = {"district=31", "sector=无", "q=%5C", "q='"}
    for name in FILTERS:
        found = len(expected(ground, (name,)))
        assert found == 0 if name in nobody else 0 < found < len(ground.leads), name


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("filters", [(), ("district=3208",), ("suspended=false",)], ids="&".join)
def test_a_list_is_sorted_as_asked_with_ties_in_the_order_of_recording(
    ground: Ground, sort: str, filters: tuple[str, ...]
) -> None:
    query = query_of((f"sort={sort}", *filters), ground.members)
    listed = ground.office.officer.ok(f"/v1/leads?{query}")["items"]
    assert [lead["title"] for lead in listed] == [
        lead["title"] for lead in expected(ground, filters, sort)
    ]


@pytest.mark.parametrize("limit", [1, 5, 11, 12, 13])
def test_pages_together_are_the_list(ground: Ground, limit: int) -> None:
    officer = ground.office.officer
    for sort in SORTS:
        whole = officer.ok(f"/v1/leads?sort={sort}")["items"]
        assert whole_of(officer, f"/v1/leads?sort={sort}&limit={limit}") == whole


def whole_of(officer: Caller, path: str) -> list[Lead]:
    """All pages of a list."""
    items: list[Lead] = []
    cursor: str | None = ""
    while cursor is not None:
        page = officer.ok(f"{path}&cursor={cursor}" if cursor else path)
        items += page["items"]
        cursor = page["next"]
    return items


# What others do while a list is read page by page; each round touches other leads.
def write(ground: Ground, number: int) -> None:
    """One round of commands: leads move, rise and fall in every sort, come and change filters."""
    officer = ground.office.officer
    amounts = ({"amount": "9", "unit": "亿元"}, {"amount": "1", "unit": "元"}, None)
    for place, lead in enumerate(ground.leads):
        if place % 3 == number % 3:
            changed = {"title": f"改名{number} 项目", "investment": amounts[place % 2 - number % 2]}
            officer.command(
                lead, "revision", occurred_on=f"2025-10-{number + 1:02d}", reason="谈的", **changed
            )
    movable = ground.leads[2 + number % 9]
    stage = officer.ok(f"/v1/leads/{movable['id']}")["stage"]
    if stage == "closed":
        officer.command(movable, "reopening", occurred_on="2025-10-20")
    elif stage == "tip":
        officer.command(movable, "closure", occurred_on="2025-10-20")
    else:
        day = f"2025-10-{number + 10:02d}"
        officer.command(movable, "suspension", occurred_on=day, review_on="2025-12-01")
    for day in ("2025-03-12", "2025-03-16", "2025-11-01"):
        officer.tip(ground.members[0], title=f"新来{number} 项目", occurred_on=day)


PAGED: tuple[tuple[str, ...], ...] = (
    (),
    ("stage=tip",),
    ("stage=negotiating",),
    ("district=32",),
    ("member={m0}",),
    ("sector=科技",),
    ("min_cny=1",),
    ("max_cny=100000000",),
    ("about_to_sign=false",),
    ("suspended=false",),
    ("from=2025-03-15", "to=2025-03-17"),
    ("q=项目",),
    ("industry=C",),
    ("district=32", "suspended=false", "min_cny=1"),
)


@pytest.mark.parametrize("sort", SORTS)
def test_no_row_is_skipped_or_doubled_or_changed_while_others_write(
    office: Office, sort: str
) -> None:
    ground = settle(office)
    officer = office.officer
    paths = [f"/v1/leads?{query_of((f'sort={sort}', *f), ground.members)}" for f in PAGED]
    as_at_first = {path: officer.ok(f"{path}&limit=200")["items"] for path in paths}
    seen: dict[str, list[Lead]] = {path: [] for path in paths}
    cursors: dict[str, str | None] = dict.fromkeys(paths, "")
    for number in range(12):
        for path in paths:
            if cursors[path] is not None:
                cursor = f"&cursor={cursors[path]}" if cursors[path] else ""
                page = officer.ok(f"{path}&limit=3{cursor}")
                seen[path] += page["items"]
                cursors[path] = page["next"]
        if set(cursors.values()) == {None}:
            break
        write(ground, number)
    for path in paths:
        shown = [lead["title"] for lead in seen[path]]
        assert shown == [lead["title"] for lead in as_at_first[path]], path
        assert seen[path] == as_at_first[path], path
    assert len(seen[paths[0]]) == len(LEADS)


def test_a_list_goes_on_however_many_leads_changed_since_its_first_page(office: Office) -> None:
    officer, ledger = office.officer, office.ledger
    member = UUID(officer.register()["id"])
    stored = stored_leads(ledger, member, leads=400, follow_ups=1)
    ledger.record_all(event for event in stored if event.originator_version == 1)
    whole = pages(officer, None)
    first = officer.ok("/v1/leads?limit=150")
    ledger.record_all(event for event in stored if event.originator_version > 1)
    assert [*first["items"], *pages(officer, first["next"])] == whole
    assert len(whole) == 400


def pages(officer: Caller, cursor: str | None) -> list[Lead]:
    """Everything from that cursor on; from the beginning without one."""
    found: list[Lead] = []
    while True:
        page = officer.ok("/v1/leads?limit=125" + (f"&cursor={cursor}" if cursor else ""))
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


# Cursors


OTHERS = [
    "sort=-amount",
    "sort=recorded",
    "stage=negotiating",
    "stage=tip&district=32",
    "q=项目",
    "member={m0}",
    "suspended=false",
    "",
]


@pytest.mark.parametrize("other", OTHERS)
def test_a_cursor_of_a_list_with_other_parameters_is_refused(ground: Ground, other: str) -> None:
    officer = ground.office.officer
    cursor = officer.ok("/v1/leads?limit=1&stage=tip")["next"]
    query = query_of((other,), ground.members)
    problem = problem_of(officer.get(f"/v1/leads?{query}&cursor={cursor}"), 422, "invalid")
    assert list(problem["errors"]) == ["cursor"]


def test_a_cursor_goes_on_with_another_limit_and_order_of_parameters(ground: Ground) -> None:
    officer = ground.office.officer
    first = officer.ok("/v1/leads?limit=1&district=32&suspended=false")
    path = f"/v1/leads?suspended=false&limit=200&cursor={first['next']}&district=32"
    rest = officer.ok(path)["items"]
    assert first["items"] + rest == expected(ground, ("district=32", "suspended=false"))


def test_a_cursor_of_another_list_is_refused(ground: Ground) -> None:
    officer = ground.office.officer
    cursors = {path: officer.ok(f"{path}?limit=1")["next"] for path in ("/v1/leads", "/v1/members")}
    for path, other in (("/v1/leads", "/v1/members"), ("/v1/members", "/v1/leads")):
        problem = problem_of(officer.get(f"{path}?cursor={cursors[other]}"), 422, "invalid")
        assert list(problem["errors"]) == ["cursor"]


def forged(cursor: str, change: Callable[[list[Any]], Any]) -> str:
    """A cursor taken apart, changed and put together again."""
    parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return base64.urlsafe_b64encode(orjson.dumps(change(parts))).decode().rstrip("=")


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: [parts[0], 2**63, *parts[2:]],
        lambda parts: [parts[0], 2**64 - 1, *parts[2:]],
        lambda parts: [*parts[:-1], 2**63],
        lambda parts: [*parts[:-2], 2**63, parts[-1]],
        lambda parts: [parts[0], -(2**63), *parts[2:]],
        lambda parts: [*parts[:-1], -1],
        lambda parts: [parts[0], 10**6, *parts[2:]],
        lambda parts: [*parts[:-1], True],
        lambda parts: [*parts[:-1], 1.5],
        lambda parts: [*parts[:-1], None],
        lambda parts: [*parts[:-1], "1"],
        lambda parts: [*parts, 1],
        lambda parts: parts[:1],
        lambda parts: {},
        lambda parts: 7,
        lambda parts: [],
    ],
    ids=lambda change: "",
)
def test_a_forged_cursor_is_refused_or_harmless(
    ground: Ground, change: Callable[[list[Any]], Any]
) -> None:
    officer = ground.office.officer
    for path in ("/v1/leads?sort=amount&limit=1", "/v1/leads?limit=1", "/v1/members?limit=1"):
        cursor = forged(officer.ok(path)["next"], change)
        answer = officer.get(f"{path}&cursor={cursor}")
        assert answer.status_code in (200, 422), answer.text


def test_a_cursor_outlives_a_restart(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    office = open_office(settings)
    ground = settle(office)
    token = office.officer.token
    first = office.officer.ok("/v1/leads?limit=5")
    office.close()
    again = open_office(settings)
    rest = again.holding(token).ok(f"/v1/leads?limit=200&cursor={first['next']}")["items"]
    assert first["items"] + rest == ground.leads
    again.close()
