"""Both books posted event by event, whatever the order, against the books of the whole path."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.posting import BOTH, OCCURRED, RECOGNISED, Books, Posting, postings, recognised_path

DAYS = st.sampled_from([f"2025-01-{day:02d}" for day in range(1, 10)])
MONEY = st.one_of(
    st.none(), st.integers(0, 3).map(lambda fen: {"amount": f"{fen}", "unit": "万元"})
)


def event(topic: str, **facts: Any) -> st.SearchStrategy[Any]:
    """An event of some day; each of ``facts`` is a value or a strategy."""
    given = {n: v if isinstance(v, st.SearchStrategy) else st.just(v) for n, v in facts.items()}
    return st.builds(SimpleNamespace, TOPIC=st.just(f"lead.{topic}"), occurred_on=DAYS, **given)


TIP = st.builds(
    SimpleNamespace,
    TOPIC=st.just("lead.tipped"),
    occurred_on=st.just("2025-01-01"),
    investment=MONEY,
)
LATER = st.one_of(
    event("negotiation_opened"),
    event("signing_planned", expected_on=st.sampled_from([None, "2025-06-01"])),
    event("signed", investment=MONEY),
    event("groundbroken"),
    event("closed", outcome=st.sampled_from(["lost", "rescinded"])),
    event("revised", facts=MONEY.map(lambda money: {"investment": money})),
    event("recognised", stage=st.sampled_from(["signed", "groundbroken"])),
)
IN_ORDER = st.lists(LATER, max_size=8).map(lambda e: sorted(e, key=lambda one: one.occurred_on))
STORIES = st.builds(
    lambda first, rest: [first, *rest], TIP, st.one_of(IN_ORDER, st.lists(LATER, max_size=8))
)


def net(lines: Iterable[Posting], *by: str) -> dict[Any, tuple[int, int]]:
    """Leads and fen by day, kind, source and target in one book, without what comes to nothing."""
    sums: dict[Any, tuple[int, int]] = {}
    for line in lines:
        if line.by in by:
            leads, fen = sums.get(line[:4], (0, 0))
            sums[line[:4]] = (leads + line.leads, fen + line.fen)
    return {key: total for key, total in sums.items() if total != (0, 0)}


@settings(deadline=None)
@given(STORIES)
def test_both_books_are_at_every_step_those_of_the_whole_path(story: list[Any]) -> None:
    books = Books()
    posted: list[Posting] = []
    for one in story:
        posted += books.happened(one)
        path = books.track.path
        assert net(posted, BOTH, OCCURRED) == net(postings(path), BOTH)
        counted = recognised_path(path, books.recognised)
        assert net(posted, BOTH, RECOGNISED) == net(postings(counted), BOTH)
