"""The month's and the week's report beside one read of the book, over HTTP, in a ledger of 10,000.

That read is the pipeline at a position that nobody asked for lately: it adds up all that was
posted by then. A report asks as much of the book three times, and lead by lead; no limit is set.
"""

from random import Random

import pytest

from tests.bench.conftest import Office
from tests.bench.harness import REPORTED, Report
from tests.bench.test_past import Requests, asked_of, beside, paths_of, position_of, with_moment

pytestmark = pytest.mark.bench

MONTHS = [f"{year}-{month:02d}" for year in (2023, 2024, 2025) for month in range(1, 13)]
WEEKS = [f"{year}-W{week:02d}" for year in (2023, 2024, 2025) for week in range(1, 53)]


def readings_of_the_book(office: Office) -> Requests:
    """Pipelines as known at ever other positions: none comes twice, or it would be in memory."""
    last = position_of(office)
    moments = list(range(last * 3 // 4, last))
    Random(7).shuffle(moments)
    return asked_of(office, with_moment(paths_of(office.token, len(moments)), moments))


def test_a_month_beside_readings_of_the_book_is_reported(office: Office, report: Report) -> None:
    months = asked_of(office, [f"/v1/reports/monthly/{month}" for month in MONTHS])
    name = "GET /v1/reports/monthly, time, beside a pipeline read from the book"
    beside(office, report, name, months, readings_of_the_book(office), REPORTED)


def test_a_week_beside_readings_of_the_book_is_reported(office: Office, report: Report) -> None:
    weeks = asked_of(office, [f"/v1/reports/weekly/{week}" for week in WEEKS])
    name = "GET /v1/reports/weekly, time, beside a pipeline read from the book"
    beside(office, report, name, weeks, readings_of_the_book(office), REPORTED)
