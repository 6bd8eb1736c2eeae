"""``leadledger export``: a date's folder of files, or every one that is due."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from eventsourcing.persistence import PersistenceError

from domain.actor import now
from domain.errors import LedgerError, Refused
from service.application import Ledger
from service.cli_shared import open_ledger
from service.exports.failing import note_failure, note_success
from service.exports.shelf import Shelf
from service.log import UnreadableEvent
from service.personal.erasures import UNMASKED, Erased
from service.serving import end_with_starter

if TYPE_CHECKING:
    from service.exports.nightly import Exported, Exporter

_DAY = click.DateTime(["%Y-%m-%d"])


_ELSEWHERE = "--personal needs --out, a folder that nobody else is served."


@click.command("export")
@click.option("--date", "day", type=_DAY, help="The business date; by default the last one over.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Another folder.")
@click.option("--position", type=click.IntRange(1), help="As known at this log position.")
@click.option("--due", is_flag=True, help="Every date since the last export: for a timer.")
@click.option("--again", is_flag=True, help="Make one that is there again, and compare the bytes.")
@click.option("--personal", is_flag=True, help="Do not mask contacts; only into another folder.")
def export(
    day: datetime | None,
    out: Path | None,
    position: int | None,
    *,
    due: bool,
    again: bool,
    personal: bool,
) -> None:
    """Write a date's export into a folder of its own: whole, or not at all.

    One that is there is checked against its manifest, and left as it is.
    """
    if due and (day or out or position or again or personal):
        raise click.UsageError("--due goes alone: it makes what the keeper would make.")
    if again and (out or position or personal):
        raise click.UsageError("--again makes an export as it was made: it goes with --date only.")
    if personal and out is None:
        raise click.UsageError(_ELSEWHERE)
    # What writes the files is large; other commands, and the keeper, do without it.
    from service.exports.nightly import Exporter

    end_with_starter()
    with open_ledger() as ledger:
        if personal and out and out.resolve() == ledger.settings.exports.resolve():
            raise click.UsageError(_ELSEWHERE)
        exporter = Exporter(ledger, now())
        wanted = day.date() if day else exporter.last_day
        if due:
            _export_due(ledger, exporter)
        elif again:
            _make_again(ledger, exporter, wanted)
        else:
            if personal:
                ledger.access.note("personal-data", UNMASKED, subject=f"{wanted}")
            _tell(exporter.export(wanted, out=out, position=position, personal=personal))


def _export_due(ledger: Ledger, exporter: "Exporter") -> None:
    folder = ledger.settings.exports
    try:
        for day in list(exporter.due()):
            _tell(exporter.export(day))
    except (LedgerError, PersistenceError, UnreadableEvent, OSError) as why:
        note_failure(folder, now(), f"{why}")
        raise
    note_success(folder)


def _make_again(ledger: Ledger, exporter: "Exporter", day: date) -> None:
    other = exporter.made_again(day)
    if other:
        told = f"Made again, these files of {day} come out otherwise: {', '.join(other)}."
        position = Shelf(ledger.settings.exports).manifest(day)["position"]
        topics = [Erased.TOPIC]
        if ledger.log_recorder.select_notifications(position + 1, 1, topics=topics):
            told += " Somebody was erased since, whose contacts are 已删除 now."
        raise Refused(told)
    click.echo(f"The export of {day} made again is the same, byte for byte.")


def _tell(done: "Exported") -> None:
    day, folder = done.cut.day, done.folder
    if not done.made:
        faults = Shelf(folder.parent).faults(day)
        if faults:
            raise Refused(
                f"The export of {day} is there, but not whole: {'; '.join(faults)}. Move the "
                "folder away, and this command makes it anew."
            )
    how = "made" if done.made else "there already, and whole"
    click.echo(f"{folder}: the export of {day} at position {done.cut.position}, {how}.")
