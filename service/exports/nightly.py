"""Which exports are due, and making them: once for each date, whoever tries, however often."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from filecmp import cmp
from pathlib import Path

from domain.errors import Refused
from service.application import Ledger
from service.audit import manifest_of
from service.exports.cut import Cut, cut_off, last_over
from service.exports.making import Plan, make
from service.exports.shelf import Shelf, cut_of

DEFAULT_AT = time(2)


@dataclass(frozen=True)
class Exported:
    """An export: its cut, its folder, and whether it was ``made`` now."""

    cut: Cut
    folder: Path
    made: bool


class Exporter:
    """Makes the exports of a ledger at ``moment``."""

    def __init__(self, ledger: Ledger, moment: datetime) -> None:
        self._ledger = ledger
        self._moment = moment
        self._at = ledger.settings.export_at or DEFAULT_AT
        self._home = Shelf(ledger.settings.exports)

    @property
    def last_day(self) -> date:
        """The last date whose cut-off has come."""
        return last_over(self._moment, self._at)

    def export(
        self,
        day: date,
        *,
        out: Path | None = None,
        position: int | None = None,
        personal: bool = False,
    ) -> Exported:
        """The export of ``day`` in ``out``, or where exports stand, unless it is there; Refused.

        ``position``: as known then, not at the cut-off. NotReady while an alarm stands: nothing
        leaves the house that does not hold.
        """
        shelf = Shelf(out) if out else self._home
        self._ledger.published.check_quiet(self._ledger.reads.data_version())
        with shelf.alone():
            shelf.sweep()
            if day in shelf.days():
                return self._there(shelf, day, position)
            plan = self._plan(shelf, day, position, personal=personal)
            with shelf.unfinished(day) as folder:
                make(self._ledger, plan, folder)
                shelf.put_in_place(folder, day)
            return Exported(plan.cut, shelf.folder / f"{day}", made=True)

    def due(self) -> Iterator[date]:
        """The dates to export, the oldest first: each since the last one that has an export, or
        the last night's; without those before anything was recorded."""
        newest, last = self._home.newest(), self.last_day
        day = newest + timedelta(days=1) if newest else last
        while day <= last:
            if self._position_at(day):
                yield day
            day += timedelta(days=1)

    def made_again(self, day: date) -> list[str]:
        """The files of an export that come out otherwise when it is made again; Refused, NotFound.

        With other software than the manifest names they may.
        """
        plan = self._remembered(self._home, day)
        with self._home.alone(), self._home.unfinished(day) as folder:
            make(self._ledger, plan, folder)
            there = self._home.folder / f"{day}"
            names = sorted({path.name for path in (*folder.iterdir(), *there.iterdir())})
            return [name for name in names if not _same(folder / name, there / name)]

    def _there(self, shelf: Shelf, day: date, position: int | None) -> Exported:
        cut = cut_of(shelf.manifest(day))
        if position not in (None, cut.position):
            raise Refused(
                "The export of {day} is there, made at position {position}; give another "
                "folder for it as known at another position.",
                day=day,
                position=cut.position,
            )
        return Exported(cut, shelf.folder / f"{day}", made=False)

    def _plan(self, shelf: Shelf, day: date, position: int | None, *, personal: bool) -> Plan:
        if day in self._home.days():
            plan = self._remembered(self._home, day, personal=personal)
            if position in (None, plan.cut.position):
                return plan
        cut = Cut(day, self._position_of(day, position))
        newest = shelf.newest(before=day) or self._home.newest(before=day)
        there = shelf if newest in shelf.days() else self._home
        previous = cut_of(there.manifest(newest)) if newest else None
        if previous and previous.position > cut.position:
            raise Refused(
                "The export of {day} was made at position {position}; one of {other} "
                "cannot be made at {last}, before that.",
                day=previous.day,
                position=previous.position,
                other=day,
                last=cut.position,
            )
        made = self._ledger.published.covering(self._ledger.log_recorder.count_upto(cut.position))
        checkpoint = manifest_of(made) if made else None
        named = None if position else self._cut_off(day)
        return Plan(cut, named, previous, checkpoint, personal)

    def _remembered(self, shelf: Shelf, day: date, *, personal: bool = False) -> Plan:
        """The plan that an export was made by."""
        told = shelf.manifest(day)
        before = told["previous"]
        previous = before and Cut(date.fromisoformat(before["date"]), before["position"])
        return Plan(cut_of(told), told["cut_off"], previous, told["checkpoint"], personal)

    def _position_of(self, day: date, position: int | None) -> int:
        last = self._ledger.reads.position()
        if position is not None:
            if not 0 < position <= last:
                raise Refused(
                    "The log has the positions 1 to {last}, and not {position}.",
                    last=last,
                    position=position,
                )
            return position
        if day > self.last_day:
            due = cut_off(day, self._at)
            raise Refused(
                "The export of {day} is due on {due}, China time: what is recorded until "
                "then is in it. For what is known so far, name a position and another "
                "folder (--position, --out).",
                day=day,
                due=f"{due:%Y-%m-%d at %H:%M}",
            )
        found = self._position_at(day)
        if not found:
            raise Refused(
                "Nothing was recorded by {cut_off}, the cut-off of {day}. For what is "
                "known so far, name a position and another folder (--position, --out).",
                cut_off=self._cut_off(day),
                day=day,
            )
        return found

    def _position_at(self, day: date) -> int:
        return self._ledger.reads.position_known_at(cut_off(day, self._at))

    def _cut_off(self, day: date) -> str:
        return cut_off(day, self._at).isoformat(timespec="seconds")


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and cmp(one, other, shallow=False)
