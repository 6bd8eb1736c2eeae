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
| expects the signing another day, or no longer | a new signing plan, of the day (`plans.py`) |
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.actor import today
from domain.correction import effective
from domain.errors import Invalid, Refused
from domain.lead import Lead
from domain.sentences import Sentence, together
from service.course import TIPPED, Entry, known_course
from service.differences import Change, Differences
from service.rows import BadRow, Command
from service.told import amount_from, from_paper, life_of, mark_of


def last_row(events: Sequence[Any]) -> str:
    """The digest of the row that was imported last for the lead of these events; '' for none."""
    found = [mark[1] for event in events[1:] if (mark := mark_of(event))]
    first: str = (events[0].source or {}).get("row", "")
    return found[-1] if found else first


def carry_over(lead: Lead, want: Mapping[str, Command], digest: str, where: str) -> None:
    """Have ``lead`` become what its row says, ``want`` by command; ``where`` names the row.

    BadRow names the cells that history forbids, or that both paper and ledger changed.
    """
    asked = Differences(lead, want, where)
    _carry_out(lead, asked.all(), digest)
    agreed = want["sign"].facts["investment"] if "sign" in want else None
    if agreed and lead.facts["investment"] != agreed and _amount_is_of_paper(lead):
        # The paper told of another amount before it told of the contract, and on a later day.
        facts = {"facts": {"investment": agreed}, "reason": asked.reason, "occurred_on": today()}
        _carry_out(lead, [Change("协议投资", "revise", facts)], digest)


def _amount_is_of_paper(lead: Lead) -> bool:
    version = amount_from(effective(lead.past)).originator_version
    return any(event.originator_version == version for event in from_paper(lead.past))


def go_along(
    lead: Lead,
    tip: Command,
    course: tuple[Sequence[Entry], Sequence[Command]],
    digest: str,
    where: str,
) -> None:
    """The same for a row with a course: it may go on from where the ledger is, and no other way."""
    entries, steps = course
    known = known_course(effective(lead.past))
    if entries and entries[0].word != TIPPED:
        del known[0]
    for entry, there in zip(entries, known, strict=False):
        if not entry.agrees(there):
            raise BadRow(
                {
                    "历程": Sentence(
                        "The ledger has {there} where it says {entry}.",
                        there=f"{there}",
                        entry=f"{entry}",
                    )
                }
            )
    stands = life_of(effective(lead.past))["tip"].facts
    told = {**tip.facts, "investment": stands["investment"]}
    asked = Differences(lead, {"tip": tip._replace(facts=told)}, where)
    more = steps[len(steps) - max(0, len(entries) - len(known)) :]
    _carry_out(lead, [*asked.of_tip(), *(asked.new(step) for step in more)], digest)


def _carry_out(lead: Lead, changes: Iterable[Change], digest: str) -> None:
    """All of them, in an order that history allows; BadRow says of each cell why there is none."""
    note, ruling = f"paper row {digest}", lead.ruling
    pending = [change._replace(facts={**change.facts, "note": note}) for change in changes]
    while pending:
        # Two days that move together may each be impossible before the other has moved.
        left, faults = _once(lead, pending)
        if len(left) == len(pending):
            raise BadRow(faults)
        pending = left
    if lead.ruling != ruling:
        raise BadRow(
            {
                "编号": Sentence(
                    "The lead was ruled a duplicate, and its members joined another; what "
                    "undoes or changes that is entered as a command on the lead."
                )
            }
        )


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
        return together(reason for reasons in why.errors.values() for reason in reasons)
    except Refused as why:
        return why.sentence
    return None
