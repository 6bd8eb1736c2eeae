"""What a row asks for, laid beside what it said before and what the ledger knows."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from domain.actor import today
from domain.correction import effective
from domain.lead import Lead
from domain.sentences import Sentence
from domain.stage import OUTCOMES
from service.plans import Plans
from service.rows import BadRow, Command
from service.told import (
    TIP_FACTS,
    Told,
    from_paper,
    life_of,
    mark_of,
    paper_investor,
    tells_amount,
)

_ORDER = "tip open_negotiation plan_signing agree_framework sign break_ground screen close".split()


class Change(NamedTuple):
    """One command that takes the lead towards its row; ``column`` is the cell it came from."""

    column: str
    method: str
    facts: dict[str, Any]


class Differences:
    """What a row asks for, laid beside what it said before and what the ledger knows."""

    def __init__(self, lead: Lead, want: Mapping[str, Command], where: str) -> None:
        paper = from_paper(lead.past)
        self._lead, self._want = lead, want
        self.before, self.now = life_of(effective(paper)), life_of(effective(lead.past))
        self._paper = frozenset(event.originator_version for event in paper)
        self.reason = f"台账改动：{where}"
        self._bad: dict[str, str] = {}

    def all(self) -> list[Change]:
        """The changes, in the order of a lead's life; BadRow when paper and ledger disagree."""
        return self._checked(_ORDER)

    def of_tip(self) -> list[Change]:
        """Those of the tip alone."""
        return self._checked(_ORDER[:1])

    def _checked(self, methods: Iterable[str]) -> list[Change]:
        found = [change for method in methods for change in self._of(method)]
        if self._bad:
            raise BadRow(self._bad)
        return found

    def _of(self, method: str) -> Iterable[Change]:
        """The changes of one command; what paper and ledger disagree on goes into ``_bad``."""
        before, now, want = self.before.get(method), self.now.get(method), self._want.get(method)
        if method == "plan_signing":
            return self._plans(want)
        if want is None:
            return self._no_more(method) if before and now else ()
        if now is None:
            return self._missed(method, want) if before else [self.new(want)]
        return self._put_right(method, want, facts) if (facts := self._changed(want)) else ()

    def _changed(self, want: Command) -> dict[str, Any]:
        """The facts of a command that the ledger has otherwise, and the paper had."""
        before, now = self.before.get(want.method), self.now[want.method]
        told = self._told(want)
        facts = {name: value for name, value in told.items() if value != now.facts[name]}
        if before is None:
            # Both paper and ledger learnt of it: what the paper leaves open is no difference.
            self._both(want, [name for name, value in facts.items() if value], now.facts)
            return {}
        facts = {n: value for n, value in facts.items() if value != before.facts[n]}
        self._both(want, [n for n in facts if now.facts[n] != before.facts[n]], now.facts)
        return facts

    def _told(self, want: Command) -> dict[str, Any]:
        """The facts of a command that paper tells."""
        method, facts = want.method, dict(want.facts)
        known = self.now[method].facts
        if method == "tip":
            facts["investor"] = paper_investor(facts["investor"])
        if method == "plan_signing":
            # No paper says when it was made.
            return {"expected_on": facts["expected_on"]}
        return {name: facts[name] for name in known}

    def new(self, want: Command) -> Change:
        """A step that the ledger does not know."""
        return Change(want.columns["occurred_on"], want.method, dict(want.facts))

    def _missed(self, method: str, want: Command) -> Iterable[Change]:
        """The paper still has what the ledger has no more: no matter, unless it changed."""
        before = self.before[method].facts
        facts = {**want.facts}
        told = ["expected_on"] if method == "plan_signing" else before
        if method == "tip" or all(facts[name] == before[name] for name in told):
            return ()
        self._bad[want.columns["occurred_on"]] = Sentence(
            "The ledger undid it since, and the paper changed it. Enter what is right as a command."
        )
        return ()

    def _both(self, want: Command, names: Iterable[str], known: Mapping[str, Any]) -> None:
        for name in names:
            column = want.columns.get(name, want.columns["occurred_on"])
            self._bad[column] = Sentence(
                "The ledger says {shown}, which somebody entered since; the paper "
                "changed to something else. Enter what is right as a command.",
                shown=_shown(known[name]),
            )

    def _no_more(self, method: str) -> Iterable[Change]:
        before, now = self.before[method], self.now[method]
        column = _COLUMN[method]
        if method == "agree_framework" and "sign" in self._want:
            signed_on = self._want["sign"].facts["occurred_on"]
            if signed_on != now.facts["occurred_on"]:
                return []  # It came to a contract: both happened.
        if not self._still(before, now, column):
            return []
        agreed = self._agreed() if method == "sign" else []
        return [self._correct(column, version, void=True) for version in (*agreed, now.version)]

    def _agreed(self) -> list[int]:
        """The revisions that say the agreed amount again, for the paper told it late."""
        after = effective(self._lead.past[self.now["sign"].version :])
        return [e.originator_version for e in after if tells_amount(e) and mark_of(e)]

    def _still(self, before: Told, now: Told, column: str) -> bool:
        """Whether the ledger has what the paper said before."""
        if before.facts != now.facts:
            self._bad[column] = Sentence(
                "The ledger has it with what somebody entered since ({shown}); the paper "
                "has it no more. Enter what is right as a command.",
                shown=_shown(now.facts),
            )
        return before.facts == now.facts

    def _plans(self, want: Command | None) -> list[Change]:
        """The changes of the signing plans."""
        plans = Plans(effective(self._lead.past), self._paper)
        talks = [said.get("open_negotiation") for said in (self.now, self.before, self._want)]
        opened, told, since = (step and step.facts["occurred_on"] for step in talks)
        if opened and opened == told and since != told:
            plans.move(opened, since) if since else plans.void()
        if since:
            self._expect(plans, want, since)
        column = _COLUMN["plan_signing" if want else "open_negotiation"]
        right = [
            self._correct(column, version, **({"facts": facts} if facts else {"void": True}))
            for version, facts in plans.right.items()
        ]
        return [*right, *([Change(column, "plan_signing", plans.new)] if plans.new else [])]

    def _expect(self, plans: Plans, want: Command | None, since: str) -> None:
        """Have ``plans`` come to the day that the paper expects, of talks of the day ``since``."""
        before, now = self.before.get("plan_signing"), self.now.get("plan_signing")
        if want is None:
            if before and now and self._still(before, now, _COLUMN["plan_signing"]):
                plans.void() if _LEFT & {*self._want, *self.now} else plans.withdraw()
        elif before and not now:
            self._missed("plan_signing", want)
        elif not now or self._changed(want):
            moving = not _LEFT & self._want.keys() & self.now.keys()
            plans.expect(want.facts["expected_on"], since, moving=moving)

    def _put_right(self, method: str, want: Command, facts: dict[str, Any]) -> list[Change]:
        version = self.now[method].version
        columns = want.columns
        column = columns.get(next(iter(facts)), columns["occurred_on"])
        if method == "tip":
            return self._tip(want, facts)
        if "outcome" in facts and _left_by(facts) != _left_by(self.now[method].facts):
            return [self._correct(column, version, void=True), self.new(want)]
        for name in _lacking(want, facts):
            self._bad[columns[name]] = Sentence(
                "The row had it before, and the step needs it. Give it again, or what is right."
            )
        right = [self._correct(column, version, facts=facts)]
        if method == "sign" and "investment" in facts:
            amount = {"investment": facts["investment"]}
            right += [self._correct(column, again, facts=amount) for again in self._agreed()]
        return right

    def _tip(self, want: Command, facts: dict[str, Any]) -> list[Change]:
        """A tip's facts changed since, or were wrong from the start."""
        if facts.get("investor"):
            known = self._lead.facts["investor"] or {}
            same = known.get("name") == facts["investor"]["name"]
            country = known.get("country") if same else None
            facts["investor"] = {**facts["investor"], "country": country}
        signed = "sign" in {*self.now, *self._want}
        revised = {n: v for n, v in facts.items() if n in TIP_FACTS}
        if signed:
            revised.pop("investment", None)
        wrong = {name: value for name, value in facts.items() if name not in revised}
        changes = []
        by = self.now["tip"].revised.get("investment")
        if by and "investment" in wrong:
            planned = {"investment": wrong.pop("investment")}
            changes.append(self._correct(want.columns["investment"], by, facts=planned))
        if wrong:
            column = want.columns[next(iter(wrong))]
            changes.append(self._correct(column, 1, facts=wrong))
        if revised:
            told = {"facts": revised, "reason": self.reason, "occurred_on": today()}
            changes.append(Change(want.columns[next(iter(revised))], "revise", told))
        return changes

    def _correct(self, column: str, version: int, **how: Any) -> Change:
        told = {"version": version, "reason": self.reason, "occurred_on": today(), **how}
        return Change(column, "correct", told)


# What a lead stops moving towards its signing by.
_LEFT = frozenset(("sign", "close"))
_COLUMN = {
    "open_negotiation": "洽谈日期",
    "plan_signing": "拟签约日期",
    "agree_framework": "签约日期",
    "sign": "签约日期",
    "break_ground": "开工日期",
    "screen": "终止日期",
    "close": "终止日期",
}


def _lacking(want: Command, facts: Iterable[str]) -> list[str]:
    """Those of ``facts`` that a step needs and the row leaves open."""
    waived = {waiver["fact"] for waiver in want.facts.get("waivers", ())}
    return [name for name in facts if name in waived]


def _left_by(end: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages that an end's outcome closes."""
    return OUTCOMES[end["outcome"]][1]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_shown(part) for part in value.values() if part)
    if isinstance(value, list):
        return "、".join(map(_shown, value))
    return Sentence("nothing") if value is None else f"{value}"
