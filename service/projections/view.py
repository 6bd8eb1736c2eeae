"""A lead as people look at it, folded from its events: one handler per event.

The live projection, an old version and the answer to a command all come from here, so they
cannot differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.correction import JOINED, LEFT, effective
from domain.credit import CreditRuling, ruled, shares_of
from domain.lead import in_order
from domain.money import stated
from domain.stage import (
    CLOSED,
    GROUNDBROKEN,
    NEGOTIATING,
    SIGNED,
    TIP,
    VERDICT_OUTCOME,
    still_missing,
)
from service.log import moment_text
from service.projections.clocks import CLOCKS_OF
from service.projections.told import hear, told_of_tip

Lead = dict[str, Any]
Names = Mapping[str, str]


class View:
    """``lead`` is what the API shows; ``private`` is what else the next event needs; ``names``,
    by id, has those of members that join.

    What sheets and due lists tell is kept in ``private`` too, unless begun with ``alone``: for
    whoever shows the lead, and no more, that is a third of the work.
    """

    __slots__ = ("lead", "names", "private")

    def __init__(self, lead: Lead, private: dict[str, Any], names: Names | None = None) -> None:
        self.lead = lead
        self.private = private
        self.names = names or {}

    @classmethod
    def begin(cls, event: Any, names: Names, *, alone: bool = False) -> "View":
        """The view of a lead whose first event this is."""
        # A fact that is not ``dated`` is of the tip's day.
        private = {"left": None, "dated": {}, "entered": event.occurred_on}
        if not alone:
            private["sheet"] = told_of_tip(event)
        view = cls(_tipped(event, names), private, names)
        if event.source:
            # The clocks of what came from paper begin with what is recorded after it.
            view.private["paper"] = recorded_at(event)
        view._stamp(event)
        return view

    def fold(self, event: Any) -> None:
        """Take in a later event."""
        told = self.private.get("sheet")
        if told is not None:
            hear(told, event, self.lead)
        HANDLERS[event.TOPIC](self, event)
        self._stamp(event)

    def _stamp(self, event: Any) -> None:
        lead, day = self.lead, event.occurred_on
        lead["version"] = event.originator_version
        lead["recorded_at"] = recorded_at(event)
        lead["last_activity_on"] = max(lead["last_activity_on"], day)
        clocks = CLOCKS_OF.get(event.TOPIC)
        if clocks and "sheet" in self.private:
            self._set_clocks(clocks, day)

    def _set_clocks(self, clocks: Sequence[str], day: str) -> None:
        private = self.private
        from_paper = private.get("paper") == self.lead["recorded_at"]
        for clock in clocks:
            told = clock != "news" or not from_paper
            if told and private.get(clock, "") < day:
                private[clock] = day


def view_of(events: Sequence[Any], names: Names, *, alone: bool = False) -> View:
    """The view after ``events``: a lead's whole stream up to some version, corrections heeded.

    ``names`` by member id; ``alone``: see `View`.
    """
    return _told(effective(events), events[-1], names, alone)


def view_as_of(
    events: Sequence[Any], names: Names, day: str, *, alone: bool = False
) -> View | None:
    """As ``view_of``, of what had happened by ``day`` (ISO); None if the lead was no tip yet."""
    happened = [event for event in effective(events) if event.occurred_on <= day]
    if not happened or happened[0].originator_version != events[0].originator_version:
        return None
    return _told(happened, events[-1], names, alone)


def _told(happened: Sequence[Any], last: Any, names: Names, alone: bool) -> View:
    view = View.begin(happened[0], names, alone=alone)
    for event in happened[1:]:
        view.fold(event)
    # What is known comes from the last event that was recorded, whatever day it is about.
    view.lead["version"] = last.originator_version
    view.lead["recorded_at"] = recorded_at(last)
    return view


def people_in(events: Sequence[Any]) -> list[str]:
    """The members that a lead shows, or ever showed, whose stream this is."""
    joined = [member for event in events if event.TOPIC == JOINED for member in event.members]
    return list(dict.fromkeys([*effective(events)[0].members, *joined]))


def words_of(lead: Lead) -> str:
    """What ``q`` looks through: title and investor, in lower case."""
    investor = lead["investor"]
    return f"{lead['title']}\n{investor['name'] if investor else ''}".lower()


def recorded_at(event: Any) -> str:
    """When an event was recorded, as text: what the log has, or what it will have."""
    stored: str | None = vars(event).get("recorded_at")
    return stored or moment_text(event.timestamp)


def _tipped(event: Any, names: Names) -> Lead:
    return {
        "id": str(event.originator_id),
        "version": 1,
        "title": event.title,
        "summary": event.summary,
        "investor": event.investor,
        "members": _shared(event.members, names, None),
        "credit_ruled_on": None,
        "credit_ruling_needed": False,
        "district": event.district,
        "transfer_to": None,
        "transfer_proposed_on": None,
        "transfers": [],
        "industry": event.industry,
        "investment": stated(event.investment),
        "contact": event.contact,
        "stage": TIP,
        "screened": None,
        "responsible_unit": None,
        "manager": None,
        "about_to_sign": False,
        "expected_signing_on": None,
        "suspended": False,
        "review_on": None,
        "outcome": None,
        "duplicate_of": None,
        "dates": {
            TIP: event.occurred_on,
            NEGOTIATING: None,
            SIGNED: None,
            GROUNDBROKEN: None,
            CLOSED: None,
        },
        "recognised": {SIGNED: None, GROUNDBROKEN: None},
        "missing": still_missing(TIP),
        "waivers": [],
        "possible_duplicates": [],
        "source": event.source,
        "last_activity_on": event.occurred_on,
        "recorded_at": "",
    }


def _shared(
    members: Sequence[str], names: Names, ruling: CreditRuling | None
) -> list[dict[str, str]]:
    shares = shares_of(members, ruling)
    return [
        {"id": m, "name": names[m], "share": share}
        for m, share in zip(members, shares, strict=True)
    ]


def _members_joined(view: View, event: Any) -> None:
    private = view.private
    private.setdefault("own", [member["id"] for member in view.lead["members"]])
    private.setdefault("joined", {})[event.duplicate] = [event.reported_on, event.members]
    _share_anew(view)


def _members_left(view: View, event: Any) -> None:
    view.private["joined"].pop(event.duplicate, None)
    _share_anew(view)


def _credit_ruled(view: View, event: Any) -> None:
    view.private.setdefault("rulings", []).append([*CreditRuling.of(event)])
    _share_anew(view)


def _share_anew(view: View) -> None:
    """The lead's own members, and after them those who joined, by the days of their reports; and
    their shares."""
    lead, private = view.lead, view.private
    known = {member["id"]: member["name"] for member in lead["members"]}
    own = private.get("own") or list(known)
    joined = in_order(private.get("joined", {}))
    members = list(dict.fromkeys([*own, *(member for _, came in joined for member in came)]))
    rulings = [CreditRuling(*told) for told in private.get("rulings", ())]
    ruling = ruled(rulings, members)
    lead["members"] = _shared(members, {**known, **view.names}, ruling)
    lead["credit_ruled_on"] = ruling.day if ruling else None
    lead["credit_ruling_needed"] = bool(rulings) and ruling is None


def _enter(view: View, stage: str, day: str) -> None:
    lead = view.lead
    view.private["left"] = lead["stage"] if stage == CLOSED else None
    view.private["entered"] = day
    lead["stage"] = stage
    lead["missing"] = still_missing(stage)
    lead["about_to_sign"] = False
    lead["expected_signing_on"] = None
    if lead["dates"][stage] is None:
        lead["dates"][stage] = day


def _settle_transfer(view: View) -> None:
    view.lead["transfer_to"] = view.lead["transfer_proposed_on"] = None


def _transfer_proposed(view: View, event: Any) -> None:
    view.lead["transfer_to"] = event.district
    view.lead["transfer_proposed_on"] = event.occurred_on


def _transferred(view: View, event: Any) -> None:
    lead = view.lead
    step = {"from": lead["district"], "to": event.district, "on": event.occurred_on}
    lead["transfers"] = [*lead["transfers"], step]
    lead["district"] = event.district
    _settle_transfer(view)


def _transfer_refused(view: View, _event: Any) -> None:
    _settle_transfer(view)


def _close(view: View, outcome: str, day: str) -> None:
    _enter(view, CLOSED, day)
    _settle_transfer(view)
    view.lead["outcome"] = outcome
    view.lead["suspended"] = False
    view.lead["review_on"] = None


def _learn(view: View, name: str, value: Any, day: str) -> None:
    dated = view.private["dated"]
    if day >= dated.get(name, view.lead["dates"][TIP]):
        dated[name] = day
        view.lead[name] = stated(value) if name == "investment" else value


def _screened(view: View, event: Any) -> None:
    view.lead["screened"] = event.verdict
    view.lead["waivers"] += event.waived
    if event.verdict in VERDICT_OUTCOME:
        _close(view, VERDICT_OUTCOME[event.verdict], event.occurred_on)
        view.lead["duplicate_of"] = event.duplicate_of


def _negotiation_opened(view: View, event: Any) -> None:
    _enter(view, NEGOTIATING, event.occurred_on)
    view.lead["screened"] = "pursue"
    view.lead["responsible_unit"] = event.responsible_unit
    view.lead["manager"] = event.manager
    view.lead["waivers"] += event.waived


def _signing_planned(view: View, event: Any) -> None:
    view.lead["about_to_sign"] = event.expected_on is not None
    view.lead["expected_signing_on"] = event.expected_on
    if event.expected_on is not None:
        before = view.private.get("expected")
        if before is not None and event.expected_on > before:
            view.private["slips"] = view.private.get("slips", 0) + 1
        view.private["expected"] = event.expected_on


def _signed(view: View, event: Any) -> None:
    _enter(view, SIGNED, event.occurred_on)
    if event.investment:
        _learn(view, "investment", event.investment, event.occurred_on)
    view.lead["waivers"] += event.waived


def _groundbroken(view: View, event: Any) -> None:
    _enter(view, GROUNDBROKEN, event.occurred_on)
    view.lead["waivers"] += event.waived


def _recognised(view: View, event: Any) -> None:
    view.lead["recognised"][event.stage] = event.occurred_on


def _suspended(view: View, event: Any) -> None:
    view.lead["suspended"] = True
    view.lead["review_on"] = event.review_on


def _resumed(view: View, _event: Any) -> None:
    view.lead["suspended"] = False
    view.lead["review_on"] = None


def _closed(view: View, event: Any) -> None:
    view.lead["waivers"] += event.waived
    _close(view, event.outcome, event.occurred_on)


def _reopened(view: View, event: Any) -> None:
    _enter(view, view.private["left"], event.occurred_on)
    lead = view.lead
    lead["outcome"] = lead["duplicate_of"] = lead["dates"][CLOSED] = None
    if lead["stage"] == TIP:
        lead["screened"] = None


def _revised(view: View, event: Any) -> None:
    for name, value in event.facts.items():
        _learn(view, name, value, event.occurred_on)


def _only_stamped(_view: View, _event: Any) -> None:
    """Recorded in the history; changes nothing that a lead shows but its last activity."""


# A correction is no event of a lead: the lead is told anew, from its first event on.
HANDLERS = {
    "lead.screened": _screened,
    "lead.negotiation_opened": _negotiation_opened,
    "lead.followed_up": _only_stamped,
    "lead.members_told": _only_stamped,
    JOINED: _members_joined,
    LEFT: _members_left,
    "lead.credit_ruled": _credit_ruled,
    "lead.transfer_proposed": _transfer_proposed,
    "lead.transferred": _transferred,
    "lead.transfer_refused": _transfer_refused,
    "lead.signing_planned": _signing_planned,
    "lead.framework_agreed": _only_stamped,
    "lead.signed": _signed,
    "lead.groundbroken": _groundbroken,
    "lead.recognised": _recognised,
    "lead.suspended": _suspended,
    "lead.resumed": _resumed,
    "lead.closed": _closed,
    "lead.reopened": _reopened,
    "lead.revised": _revised,
}
