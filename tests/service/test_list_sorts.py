"""Every order of the leads has an index: a page of a hundred thousand is no sorting of them all."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.projections.choosing import column_of
from service.projections.lead_list import SORTS, _statement
from service.projections.leads import leads
from service.projections.moment import rows_on
from service.projections.sqlite_store import SQLiteStore
from service.projections.store import metadata

CHOSEN = ("stage", "district", "industry", "least_fen", "about_to_sign", "suspended", "words")


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    """The tables of the projections, empty."""
    found = SQLiteStore(tmp_path / "projections", 1.0, metadata, durable=False)
    found.create_tables()
    return found


def sorts_of(store: SQLiteStore, statement: sa.Select[Any]) -> list[str]:
    """The steps of a statement's plan that sort what was found."""
    text = statement.compile(dialect=sa.create_engine("sqlite://").dialect)
    given = tuple("1" for _ in text.positiontup or ())
    with store.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all()
    store.close()
    return [step for *_, step in plan if "TEMP B-TREE" in step]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("chosen", [(), *((one,) for one in CHOSEN), ("stage", "least_fen")])
def test_no_order_sorts_all_leads(
    store: SQLiteStore, sort: str, chosen: tuple[str, ...], descending: bool
) -> None:
    assert sorts_of(store, _statement(leads, (*chosen, "limit"), sort, descending)) == []


@pytest.mark.parametrize("sort", ["recorded", "occurred", "amount"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("chosen", [(), *((one,) for one in CHOSEN), ("stage", "least_fen")])
def test_no_order_of_a_past_day_but_that_of_activity_sorts_all_leads(
    store: SQLiteStore, sort: str, chosen: tuple[str, ...], descending: bool
) -> None:
    rows = rows_on({*map(column_of, chosen)})
    assert sorts_of(store, _statement(rows, (*chosen, "limit"), sort, descending)) == []


def test_a_file_of_an_earlier_version_gets_its_indexes(store: SQLiteStore) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("DROP INDEX ix_leads_by_amount")
    store.create_tables()
    with store.reading() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
    assert {f"{index.name}" for index in leads.indexes} <= set(names)
    store.close()
