"""What a monitor asks, in Prometheus's text format: what all workers have counted, and what stands
in files, so that every worker says the same."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from domain.errors import NotReady
from service.application import Ledger
from service.exports.cut import cut_off
from service.exports.failing import what_is_wrong
from service.exports.shelf import Shelf
from service.figures import BOUNDS, EVENTS, FIGURES, LOCKS, WAITS, WIDTH, Key
from service.lag import lag_of
from service.proof.rounds import last_round

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUESTS = "leadledger_request_duration_seconds"
COMMANDS = "leadledger_commands_total"
PROBLEMS = "leadledger_problems_total"

# What is counted wherever it happens, besides requests.
LAID_OUT: Mapping[Key, int] = {
    (EVENTS,): 1,
    **{(WAITS, lock): WIDTH for lock in LOCKS},
}


class Family(NamedTuple):
    """Numbers of one name: what they mean, and their labels' names."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


COUNTERS = (
    Family(COMMANDS, "Commands by what became of them.", ("route", "outcome")),
    Family(PROBLEMS, "Requests that were not answered, by the problem's code.", ("code",)),
    Family(EVENTS, "Events that commands recorded here; imports are in the log's position only."),
)
HISTOGRAMS = (
    Family(REQUESTS, "How long an answer took to begin.", ("method", "route", "status")),
    Family(WAITS, "How long a lock was waited for, where it was not free.", ("lock",)),
)


class Gauge(NamedTuple):
    """A number that goes up and down."""

    name: str
    help: str
    value: float


def gauges(ledger: Ledger, moment: datetime) -> Iterator[Gauge]:
    """Every figure that is read when it is asked for."""
    settings, reads = ledger.settings, ledger.reads
    reads.data_version()
    yield Gauge("leadledger_log_position", "The last position of the log.", reads.seen_position)
    # What cannot be known just now is not there: the rest is needed most then.
    with suppress(NotReady):
        lag = lag_of(reads, moment)
        told = "Positions of the log that the projections have not taken in; the next read does."
        yield Gauge("leadledger_projections_lag_events", told, lag.events)
        told = "How long the first event that they have not taken in has been in the log."
        yield Gauge("leadledger_projections_lag_seconds", told, lag.seconds)
    standing = len(ledger.published.standing())
    yield Gauge("leadledger_alarms_standing", "Alarms on the history, not ruled on.", standing)
    last = ledger.published.latest()
    if last:
        age = (moment - datetime.fromisoformat(last.made_at)).total_seconds()
        told = "Seconds since the keeper last signed a checkpoint, which it does if the log grew."
        yield Gauge("leadledger_checkpoint_age_seconds", told, max(age, 0.0))
        told = "Events that the last checkpoint covers."
        yield Gauge("leadledger_checkpoint_events", told, last.size)
    yield from _of_exports(ledger, moment)
    told = "Seconds since the keeper last finished a round, or first began; none before that."
    done = last_round(settings)
    if done:
        age = done.age(moment).total_seconds()
        yield Gauge("leadledger_keeper_round_age_seconds", told, age)


def _of_exports(ledger: Ledger, moment: datetime) -> Iterator[Gauge]:
    settings = ledger.settings
    newest, at = Shelf(settings.exports).newest(), settings.export_at
    told = "Cut-off of the newest export, in seconds since 1970; 0 without one."
    until = cut_off(newest, at).timestamp() if newest and at else 0
    yield Gauge("leadledger_export_newest_cut_off_seconds", told, until)
    wrong = what_is_wrong(settings, ledger.reads, moment) is not None
    yield Gauge("leadledger_export_failing", "1 when an export failed or is overdue.", int(wrong))


def exposition(ledger: Ledger, moment: datetime) -> str:
    """The figures as they are scraped."""
    return "".join(f"{line}\n" for line in _lines(ledger, moment))


def _lines(ledger: Ledger, moment: datetime) -> Iterator[str]:
    for gauge in gauges(ledger, moment):
        yield from _head(gauge, "gauge")
        yield f"{gauge.name} {gauge.value}"
    for family in COUNTERS:
        yield from _head(family, "counter")
        for values, count in FIGURES.counted(family.name):
            if count or not family.labels:
                yield f"{family.name}{_labels(zip(family.labels, values, strict=True))} {count}"
    for family in HISTOGRAMS:
        yield from _head(family, "histogram")
        yield from _histogram(family)


def _histogram(family: Family) -> Iterator[str]:
    for values, (counts, seconds) in FIGURES.spread(family.name):
        labels = list(zip(family.labels, values, strict=True))
        total = sum(counts)
        for bound, upto in zip((*BOUNDS, "+Inf"), accumulate(counts), strict=True):
            yield f"{family.name}_bucket{_labels([*labels, ('le', f'{bound}')])} {upto}"
        yield f"{family.name}_sum{_labels(labels)} {seconds}"
        yield f"{family.name}_count{_labels(labels)} {total}"


def _head(named: Gauge | Family, kind: str) -> tuple[str, str]:
    return f"# HELP {named.name} {named.help}", f"# TYPE {named.name} {kind}"


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    told = ",".join(f'{name}="{value}"' for name, value in pairs)
    return f"{{{told}}}" if told else ""
