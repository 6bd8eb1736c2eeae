"""Counts each request: how long its answer took to begin, by route and kind of status, what became
of a command, and which problems were answered.

Labels are routes as they are declared, methods and codes: nothing that a client puts into them.
"""

from collections.abc import Iterator
from typing import Any

from flask import Flask

from service.figures import FIGURES, WIDTH, Key
from service.metrics import COMMANDS, LAID_OUT, PROBLEMS, REQUESTS

RULE = "leadledger.rule"
OUTCOME = "leadledger.outcome"
# What is left of a path that is no route of ours, and of a method that no route takes.
ELSEWHERE = "other"
# What became of a command that was answered, and the codes of those that were not.
RECORDED, UNCHANGED, REPLAYED = DONE = ("recorded", "unchanged", "replayed")
CODES = (
    "malformed",
    "unauthenticated",
    "forbidden",
    "not-found",
    "method-not-allowed",
    "not-acceptable",
    "refused",
    "stale",
    "too-large",
    "unsupported-media-type",
    "range-not-satisfiable",
    "misdirected",
    "invalid",
    "key-reused",
    "slow-down",
    "internal",
    "not-ready",
    ELSEWHERE,
)
_KINDS = ("2xx", "3xx", "4xx", "5xx")


class Counting:
    """The requests of one application, all of whose routes are known by now."""

    def __init__(self, app: Flask) -> None:
        routes = sorted(_routes(app))
        spreads = {(m, rule, k): _spread(m, rule, k) for m, rule in routes for k in _KINDS}
        counts = [_outcome(rule, o) for m, rule in routes if m == "POST" for o in (*DONE, *CODES)]
        widths = {**LAID_OUT, **dict.fromkeys(spreads.values(), WIDTH)}
        FIGURES.lay_out({**widths, **dict.fromkeys([*counts, *map(_problem, CODES)], 1)})
        # Rule → method → first digit of a status → where its durations are counted.
        self._places: dict[str, dict[str, dict[str, int]]] = {}
        for (method, rule, kind), key in spreads.items():
            kinds = self._places.setdefault(rule, {}).setdefault(method, {})
            kinds[kind[0]] = FIGURES.place(key)
            if method == "GET":
                self._places[rule]["HEAD"] = kinds

    def note(self, environ: dict[str, Any], status: str, seconds: float) -> None:
        """A request was answered with ``status``, which took so long."""
        method, rule, first = environ["REQUEST_METHOD"], environ.get(RULE, ELSEWHERE), status[0]
        kinds = self._places[rule].get(method)
        if kinds is None:
            method = rule = ELSEWHERE
            kinds = self._places[rule][method]
        FIGURES.took_at(kinds[first], seconds)
        # A route that tells nothing of it, such as a token's, has done what it was asked.
        outcome = environ.get(OUTCOME, RECORDED)
        if first >= "4":
            outcome = outcome if outcome in CODES else ELSEWHERE
            FIGURES.add(_problem(outcome))
        if method == "POST":
            FIGURES.add(_outcome(rule, outcome))


def _spread(method: str, rule: str, kind: str) -> Key:
    return REQUESTS, method, shown(rule), kind


def _outcome(rule: str, outcome: str) -> Key:
    return COMMANDS, shown(rule), outcome


def _problem(code: str) -> Key:
    return PROBLEMS, code


def shown(rule: str) -> str:
    """A route as the API document writes it: {id} where Flask has <id>."""
    return rule.replace("<", "{").replace(">", "}")


def _routes(app: Flask) -> Iterator[tuple[str, str]]:
    yield ELSEWHERE, ELSEWHERE
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"GET", "POST"}:
            yield method, rule.rule
