"""A row that says something else than when it was imported last, as events that explain it.

Three tell of a lead: what its paper said before, what the paper says now, and what the ledger
knows. Where the paper says what it said before, the ledger stands, however it came to that. Where
the paper changed and the ledger did not, the difference is recorded. Where both changed, nobody but
the office can tell which is right.

| the paper now | what is recorded |
|---|---|
| has a step more | the step, on its day |
| has another day or fact for a step | a correction of the event |
| has an end of another stage | the event is voided, and the end recorded |
| has a step no more | the event is voided |
| has another title, investor, industry or amount before the contract | a revision, of the day |
| has another planned amount after it | a correction of the tip |
| expects the signing another day, or no longer | a new signing plan, of the day |
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from domain.actor import current_actor
from domain.correction import effective
from domain.errors import Invalid, Refused
from domain.lead import Lead
from domain.stage import OUTCOMES
from service.paper import BadRow, Command
from service.told import TIP_FACTS, Life, life_of, paper_investor

_MARK = re.compile(r"paper row ([0-9a-f]{16})")
_ORDER = "tip open_negotiation plan_signing agree_framework sign break_ground screen close".split()


class Change(NamedTuple):
    """One command that takes the lead towards its row; ``column`` is the cell it came from."""

    column: str
    method: str
    facts: dict[str, Any]


def last_row(events: Sequence[Any]) -> str:
    """The digest of the row that was imported last for the lead of these events."""
    found = [mark[1] for event in events[1:] if (mark := _mark_of(event))]
    first: str = events[0].source["row"]
    return found[-1] if found else first


def _mark_of(event: Any) -> re.Match[str] | None:
    return _MARK.fullmatch(event.note or "")


def carry_over(lead: Lead, want: Mapping[str, Command], digest: str, where: str) -> None:
    """Have ``lead`` become what its row says, ``want`` by command; ``where`` names the row.

    BadRow names the cells that history forbids, or that both paper and ledger changed.
    """
    first = lead.past[0].request
    paper = [event for event in lead.past if event.request == first or _mark_of(event)]
    before, now = life_of(effective(paper)), life_of(effective(lead.past))
    asked = _Differences(lead, before, now, want, where)
    late = "sign" in want and "sign" not in now and now["tip"].facts == before["tip"].facts
    note = f"paper row {digest}"
    pending = [change._replace(facts={**change.facts, "note": note}) for change in asked.all()]
    while pending:
        # Two days that move together may each be impossible before the other has moved.
        left, faults = _once(lead, pending)
        if len(left) == len(pending):
            raise BadRow(faults)
        pending = left
    agreed = want["sign"].facts["investment"] if late else None
    if agreed and lead.facts["investment"] != agreed:
        # The paper told of another amount before it told of the contract, and on a later day.
        told = {"reason": asked.reason, "occurred_on": _today(), "note": note}
        lead.revise(facts={"investment": agreed}, **told)


def _once(lead: Lead, pending: Sequence[Change]) -> tuple[list[Change], dict[str, str]]:
    """Carry out what can be; what is left, and why by cell. A step waits for those before it."""
    left: list[Change] = []
    faults: dict[str, str] = {}
    waits = False
    for change in pending:
        step = change.method != "correct"
        fault = None if step and waits else _fault(lead, change)
        if fault:
            faults.setdefault(change.column, fault)
        if fault or (step and waits):
            left.append(change)
            waits = waits or step
    return left, faults


def _fault(lead: Lead, change: Change) -> str | None:
    """Carry it out; why it cannot be, if so."""
    try:
        getattr(lead, change.method)(**change.facts)
    except Invalid as why:
        return " ".join(reason for reasons in why.errors.values() for reason in reasons)
    except Refused as why:
        return str(why)
    return None


class _Differences:
    """What a row asks for, laid beside what it said before and what the ledger knows."""

    def __init__(
        self, lead: Lead, before: Life, now: Life, want: Mapping[str, Command], where: str
    ) -> None:
        self._lead = lead
        self._before, self._now, self._want = before, now, want
        self.reason = f"台账改动：{where}"
        self._bad: dict[str, str] = {}

    def all(self) -> list[Change]:
        """The changes, in the order of a lead's life; BadRow when paper and ledger disagree."""
        found = [change for method in _ORDER for change in self._of(method)]
        if self._bad:
            raise BadRow(self._bad)
        return found

    def _of(self, method: str) -> Iterable[Change]:
        before, now, want = self._before.get(method), self._now.get(method), self._want.get(method)
        if want is None:
            return self._no_more(method) if before and now else ()
        if now is None:
            return self._missed(method, want) if before else [self._new(want)]
        told = self._told(want)
        facts = {name: value for name, value in told.items() if value != now.facts[name]}
        if before is None:
            # Both paper and ledger learnt of it: what the paper leaves open is no difference.
            self._both(want, [name for name, value in facts.items() if value], now.facts)
            return ()
        facts = {n: value for n, value in facts.items() if value != before.facts[n]}
        self._both(want, [n for n in facts if now.facts[n] != before.facts[n]], now.facts)
        return self._put_right(method, want, facts) if facts else ()

    def _told(self, want: Command) -> dict[str, Any]:
        """The facts of a command that paper tells."""
        method, facts = want.method, dict(want.facts)
        known = self._now[method].facts
        if method == "tip":
            facts["investor"] = paper_investor(facts["investor"])
        if method == "plan_signing":
            before, opened = self._before.get(method), self._before.get("open_negotiation")
            if before and opened and before.facts["occurred_on"] != opened.facts["occurred_on"]:
                facts["occurred_on"] = before.facts["occurred_on"]
        return {name: facts[name] for name in known}

    def _new(self, want: Command) -> Change:
        return Change(want.columns["occurred_on"], want.method, dict(want.facts))

    def _missed(self, method: str, want: Command) -> Iterable[Change]:
        """The paper still has what the ledger has no more: no matter, unless it changed."""
        before = self._before[method].facts
        facts = {**want.facts}
        if method == "tip" or all(facts[name] == before[name] for name in before):
            return ()
        self._bad[want.columns["occurred_on"]] = (
            "The ledger undid it since, and the paper changed it. Enter what is right as a command."
        )
        return ()

    def _both(self, want: Command, names: Iterable[str], known: Mapping[str, Any]) -> None:
        for name in names:
            column = want.columns.get(name, want.columns["occurred_on"])
            self._bad[column] = (
                f"The ledger says {_shown(known[name])}, which somebody entered since; the paper "
                "changed to something else. Enter what is right as a command."
            )

    def _no_more(self, method: str) -> Iterable[Change]:
        before, now = self._before[method], self._now[method]
        column = _COLUMN[method]
        if method == "agree_framework" and "sign" in self._want:
            signed_on = self._want["sign"].facts["occurred_on"]
            if signed_on != now.facts["occurred_on"]:
                return []  # It came to a contract: both happened.
        if method == "plan_signing" and not {"sign", "close"} & {*self._want, *self._now}:
            return [Change(column, method, {"expected_on": None, "occurred_on": _today()})]
        if before.facts != now.facts:
            self._bad[column] = (
                f"The ledger has it with what somebody entered since ({_shown(now.facts)}); the "
                "paper has it no more. Enter what is right as a command."
            )
            return []
        return [self._correct(column, now.version, void=True)]

    def _put_right(self, method: str, want: Command, facts: dict[str, Any]) -> list[Change]:
        version = self._now[method].version
        columns = want.columns
        column = columns.get(next(iter(facts)), columns["occurred_on"])
        if method == "tip":
            return self._tip(want, facts)
        if method == "plan_signing" and "expected_on" in facts and "sign" not in self._now:
            day = min(_today(), facts["expected_on"])
            plan = Change(column, method, {"expected_on": facts["expected_on"], "occurred_on": day})
            moved = {name: facts[name] for name in facts if name != "expected_on"}
            return [*([self._correct(column, version, facts=moved)] if moved else []), plan]
        if "outcome" in facts and _left_by(facts) != _left_by(self._now[method].facts):
            return [self._correct(column, version, void=True), self._new(want)]
        return [self._correct(column, version, facts=facts)]

    def _tip(self, want: Command, facts: dict[str, Any]) -> list[Change]:
        """A tip's facts changed since, or were wrong from the start."""
        if facts.get("investor"):
            known = self._lead.facts["investor"] or {}
            same = known.get("name") == facts["investor"]["name"]
            country = known.get("country") if same else None
            facts["investor"] = {**facts["investor"], "country": country}
        signed = "sign" in {*self._now, *self._want}
        revised = {n: v for n, v in facts.items() if n in TIP_FACTS}
        if signed:
            revised.pop("investment", None)
        wrong = {name: value for name, value in facts.items() if name not in revised}
        changes = []
        by = self._now["tip"].revised.get("investment")
        if by and "investment" in wrong:
            planned = {"investment": wrong.pop("investment")}
            changes.append(self._correct(want.columns["investment"], by, facts=planned))
        if wrong:
            column = want.columns[next(iter(wrong))]
            changes.append(self._correct(column, 1, facts=wrong))
        if revised:
            told = {"facts": revised, "reason": self.reason, "occurred_on": _today()}
            changes.append(Change(want.columns[next(iter(revised))], "revise", told))
        return changes

    def _correct(self, column: str, version: int, **how: Any) -> Change:
        told = {"version": version, "reason": self.reason, "occurred_on": _today(), **how}
        return Change(column, "correct", told)


_COLUMN = {
    "open_negotiation": "洽谈日期",
    "plan_signing": "拟签约日期",
    "agree_framework": "签约日期",
    "sign": "签约日期",
    "break_ground": "开工日期",
    "screen": "终止日期",
    "close": "终止日期",
}


def _left_by(end: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages that an end's outcome closes."""
    return OUTCOMES[end["outcome"]][1]


def _today() -> str:
    return f"{current_actor().today}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_shown(part) for part in value.values() if part)
    if isinstance(value, list):
        return "、".join(map(_shown, value))
    return "nothing" if value is None else f"{value}"
