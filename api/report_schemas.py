"""What is said when a report is asked for, or sealed."""

from api.schemas import (
    OPTIONAL,
    Day,
    DistrictPrefix,
    KnownAt,
    Paged,
    Request,
    Text,
    Whole,
)
from domain.values import NOTE


class SealQuery(Request):
    """As of which cut-off, for which district."""

    end = Day(data_key="to")
    district = DistrictPrefix()


class AnnualQuery(SealQuery):
    """The same, as known when."""

    known_at = KnownAt()


class SealIn(Request):
    """What the office says to it."""

    note = Text(NOTE, lines=True, **OPTIONAL)


class ReportsQuery(Paged):
    """Which sealed reports."""

    year = Whole(1978, 9999)
    district = DistrictPrefix()


class PeriodQuery(Request):
    """For which district, as known when."""

    district = DistrictPrefix()
    known_at = KnownAt()
