"""Whether a history moves a lead on a day on which it was on hold, slowly and obviously."""

from collections.abc import Iterable

STEPS = frozenset(("negotiation_opened", "signed", "groundbroken"))
MOVES = STEPS | {"signing_planned", "framework_agreed"}
ENDS = frozenset(("resumed", "closed"))


def moved_on_hold(told: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The (event, day) of ``told``, effective events in order of recording, that move a lead
    between the day of a suspension and the day it ended. The day of the suspension itself is
    free to what was recorded before it; a plan of before it may be of a later day, too."""
    events = list(told)
    found = []
    for at, (name, since) in enumerate(events):
        if name != "suspended":
            continue
        until = next((day for end, day in events[at:] if end in ENDS), "9999-12-31")
        found += [e for e in events[:at] if e[0] in STEPS and since < e[1] < until]
        found += [e for e in events[at:] if e[0] in MOVES and since <= e[1] < until]
    return found
