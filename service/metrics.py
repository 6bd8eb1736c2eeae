"""What a monitor asks, in Prometheus's text format; read from files, so that every worker says the
same."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from service.application import Ledger
from service.exports.cut import cut_off
from service.exports.failing import what_is_wrong
from service.exports.shelf import Shelf
from service.proof.rounds import last_round

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Gauge(NamedTuple):
    """A number that goes up and down."""

    name: str
    help: str
    value: float


def gauges(ledger: Ledger, moment: datetime) -> Iterator[Gauge]:
    """Every figure there is."""
    settings, reads = ledger.settings, ledger.reads
    reads.data_version()
    yield Gauge("leadledger_log_position", "The last position of the log.", reads.seen_position)
    standing = len(ledger.published.standing())
    yield Gauge("leadledger_alarms_standing", "Alarms on the history, not ruled on.", standing)
    newest = Shelf(settings.exports).newest()
    told = "Cut-off of the newest export, in seconds since 1970; 0 without one."
    at = settings.export_at
    until = cut_off(newest, at).timestamp() if newest and at else 0
    yield Gauge("leadledger_export_newest_cut_off_seconds", told, until)
    wrong = what_is_wrong(settings, reads, moment) is not None
    yield Gauge("leadledger_export_failing", "1 when an export failed or is overdue.", int(wrong))
    told = "Seconds since the keeper last finished a round, or first began; none before that."
    last = last_round(settings)
    if last:
        age = last.age(moment).total_seconds()
        yield Gauge("leadledger_keeper_round_age_seconds", told, age)


def exposition(ledger: Ledger, moment: datetime) -> str:
    """The figures as they are scraped."""
    return "".join(
        f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} gauge\n{gauge.name} {gauge.value}\n"
        for gauge in gauges(ledger, moment)
    )
