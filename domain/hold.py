"""The days a lead was on hold (暂缓): from its suspension until it was taken up again or closed."""

from typing import NamedTuple


class Hold(NamedTuple):
    """On hold on ``since`` and every day after it before ``until``; None: still on hold."""

    since: str
    until: str | None = None

    def includes(self, day: str) -> bool:
        """Whether the lead was on hold that day; on the day it was taken up again it was not."""
        return self.since <= day and (self.until is None or day < self.until)


def begun(holds: tuple[Hold, ...], day: str) -> tuple[Hold, ...]:
    """``holds`` once the lead is suspended on ``day``; said again it is the same hold."""
    return holds if holds and holds[-1].until is None else (*holds, Hold(day))


def ended(holds: tuple[Hold, ...], day: str) -> tuple[Hold, ...]:
    """``holds`` once the lead is on hold no more, from ``day`` on."""
    if not holds or holds[-1].until is not None:
        return holds
    return (*holds[:-1], Hold(holds[-1].since, day))


def hold_on(holds: tuple[Hold, ...], day: str) -> Hold | None:
    """The hold that includes ``day``; None if the lead was free to move."""
    return next((hold for hold in reversed(holds) if hold.includes(day)), None)
