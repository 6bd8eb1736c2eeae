"""The same date and position give the same bytes, whatever happened since; and what differs from
the last export is told, with the events."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.actor import acting, now, today_in_china
from domain.errors import NotReady, Refused
from service.application import Ledger
from service.exports.nightly import Exporter
from service.exports.shelf import Shelf, cut_of
from tests.exports.shelf import bytes_of, events, exported, manifest, night_after, rows
from tests.proof.ground import present, signed
from tests.service.helpers import (
    a_lead,
    call,
    follow,
    journeys,
    ledger_in,
    register,
    somebody,
    tip,
    whole_log,
)

DAY = timedelta(days=1)


def revise(ledger: Ledger, lead: Any, day: object = None, **facts: Any) -> None:
    """The lead's facts change, today or on ``day``."""
    given = {"facts": facts, "reason": "重新谈的", "occurred_on": f"{day or today_in_china()}"}
    with acting(somebody()):
        ledger.revise(lead, call(), given)


def grow(ledger: Ledger) -> None:
    """Late facts, corrections, new leads: everything that an old export must not show."""
    journeys(ledger, numbers="LATER-")
    for lead in [
        UUID(f"{event.originator_id}")
        for event in whole_log(ledger)
        if event.topic == "lead.tipped"
    ]:
        facts = {"version": 1, "facts": {"title": "更正后的标题"}, "reason": "录入有误"}
        with acting(somebody()):
            ledger.correct(lead, call(), {**facts, "occurred_on": f"{today_in_china()}"})


def test_made_again_after_more_events_corrections_and_a_rebuild_it_is_the_same_bytes(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        signed(ledger)
        first = exported(ledger, today_in_china() - DAY, position=20, out=tmp_path / "first")
        exporter = Exporter(ledger, night_after(today_in_china()))
        done = exporter.export(today_in_china())
        before = bytes_of(done.folder)
        grow(ledger)
        assert exporter.made_again(today_in_china()) == []
        ledger.reads.catch_up.rebuild()
        assert exporter.made_again(today_in_china()) == []
        elsewhere = exporter.export(today_in_china(), out=tmp_path / "elsewhere")
        assert bytes_of(elsewhere.folder) == before == bytes_of(done.folder)
        again = exported(ledger, today_in_china() - DAY, position=20, out=tmp_path / "second")
        assert bytes_of(again.folder) == bytes_of(first.folder)
    with ledger_in(tmp_path) as ledger:
        assert Exporter(ledger, night_after(today_in_china())).made_again(today_in_china()) == []


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        done = exported(ledger)
        shelf = Shelf(done.folder.parent)
        assert shelf.faults(today_in_china()) == []
        (done.folder / "leads.csv").write_bytes(b"x")
        (done.folder / "pipeline.csv").unlink()
        assert sorted(fault.split()[0] for fault in shelf.faults(today_in_china())) == [
            "leads.csv",
            "pipeline.csv",
        ]
        exporter = Exporter(ledger, night_after(today_in_china()))
        assert exporter.made_again(today_in_china()) == ["leads.csv", "pipeline.csv"]


def test_an_export_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        first = exported(ledger)
        before = bytes_of(first.folder)
        a_lead(ledger)
        second = exported(ledger)
        assert (first.made, second.made) == (True, False)
        assert (second.cut, bytes_of(second.folder)) == (first.cut, before)
        with pytest.raises(Refused, match="another folder"):
            exported(ledger, position=1)


def test_a_day_that_is_not_over_waits_for_its_cut_off(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        with pytest.raises(Refused, match="is due on"):
            Exporter(ledger, now()).export(today_in_china())
        with pytest.raises(Refused, match="Nothing was recorded"):
            Exporter(ledger, now()).export(today_in_china() - 3 * DAY)
        for position in (0, 3):
            with pytest.raises(Refused, match="positions 1 to 2"):
                exported(ledger, position=position)
        assert exported(ledger, position=1, out=tmp_path / "out").cut.position == 1


def test_what_is_exported_had_happened_and_was_known(tmp_path: Path) -> None:
    yesterday = today_in_china() - DAY
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        revise(ledger, lead, title="今天改的")
        tip(ledger, register(ledger).subject, title="今天报的", occurred_on=f"{today_in_china()}")
        folder = exported(
            ledger, yesterday, position=len(whole_log(ledger)), out=tmp_path / "out"
        ).folder
        (row,) = rows(folder / "leads.csv")
        assert row["项目名称"] == "12英寸大晶圆项目"
        assert [r["项目名称"] for r in rows(exported(ledger).folder / "leads.csv")] == [
            "今天改的",
            "今天报的",
        ]


def test_changes_are_told_by_cell_with_the_events_that_made_them(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        changed, quiet, late = (a_lead(ledger) for _ in range(3))
        revise(ledger, late, title="明天才改的")
        at = len(whole_log(ledger))
        exported(ledger, today_in_china() - DAY, position=at)
        revise(ledger, changed, title="改过的名称", industry="C39")
        follow(ledger, quiet)
        added = a_lead(ledger)
        folder = exported(ledger).folder
        log = whole_log(ledger)
    told = rows(folder / "changes.csv")
    of = {
        str(lead): [row for row in told if row["项目标识"] == str(lead)]
        for lead in (changed, quiet, late, added)
    }
    assert {(r["变动"], r["列"], r["原值"], r["现值"]) for r in of[str(changed)]} == {
        ("变更", "项目名称", "12英寸大晶圆项目", "改过的名称"),
        ("变更", "产业代码", "", "C39"),
        ("变更", "最近动态", "2025-03-18", f"{today_in_china()}"),
    }
    assert {row["事件"] for row in of[str(changed)]} == {f"{at + 1}/2/revised"}
    assert {row["事件"] for row in of[str(quiet)]} == {f"{at + 2}/2/followed_up"}
    assert {row["列"] for row in of[str(late)]} == {"项目名称", "最近动态"}, "its day came"
    assert {row["事件"] for row in of[str(late)]} == {f"{at}/2/revised"}
    assert [(row["变动"], row["列"]) for row in of[str(added)]] == [("新增", "")]
    assert of[str(added)][0]["事件"] == f"{len(log)}/1/tipped"
    assert [event["position"] for event in events(folder)] == list(range(at + 1, len(log) + 1))
    assert manifest(folder)["previous"] == {"date": f"{today_in_china() - DAY}", "position": at}


def test_changes_lead_from_the_rows_of_one_export_to_those_of_the_next(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        half = len(whole_log(ledger)) // 2
        before = exported(ledger, today_in_china() - DAY, position=half).folder
        after = exported(ledger).folder
    old = {row["项目标识"]: row for row in rows(before / "leads.csv")}
    new = {row["项目标识"]: row for row in rows(after / "leads.csv")}
    for change in rows(after / "changes.csv"):
        row = old.get(change["项目标识"])
        if change["变动"] == "新增":
            assert row is None
            old[change["项目标识"]] = new[change["项目标识"]]
        elif change["变动"] == "移除":
            del old[change["项目标识"]]
        else:
            assert row is not None and row[change["列"]] == change["原值"]
            row[change["列"]] = change["现值"]
    for row in (*old.values(), *new.values()):
        row["版本"] = row["登记时间"] = ""
    assert old == new


def test_a_lead_whose_tip_moved_behind_the_cut_is_gone(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        at = len(whole_log(ledger))
        exported(ledger, today_in_china() - 2 * DAY, position=at)
        right = {
            "version": 1,
            "facts": {"occurred_on": f"{today_in_china()}"},
            "reason": "录入有误",
        }
        with acting(somebody()):
            ledger.correct(lead, call(), {**right, "occurred_on": f"{today_in_china()}"})
        folder = exported(ledger, today_in_china() - DAY, position=at + 1).folder
    assert rows(folder / "leads.csv") == []
    (gone,) = rows(folder / "changes.csv")
    assert (gone["变动"], gone["事件"]) == ("移除", f"{at + 1}/2/corrected")


def test_missed_nights_are_made_up_for_in_order(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        exported(ledger)
        later = Exporter(ledger, night_after(today_in_china() + 3 * DAY))
        due = list(later.due())
        assert due == [
            today_in_china() + DAY,
            today_in_china() + 2 * DAY,
            today_in_china() + 3 * DAY,
        ]
        made = [later.export(day) for day in due]
        assert list(later.due()) == []
    for before, one in zip([today_in_china(), *due], made, strict=False):
        assert manifest(one.folder)["previous"]["date"] == f"{before}"
        assert rows(one.folder / "changes.csv") == events(one.folder) == []


def test_a_ledger_begins_with_the_first_night_that_has_something_to_tell(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert list(Exporter(ledger, night_after(today_in_china())).due()) == []
        a_lead(ledger)
        assert list(Exporter(ledger, now()).due()) == []
        assert list(Exporter(ledger, night_after(today_in_china())).due()) == [today_in_china()]


def test_the_manifest_carries_the_first_checkpoint_that_covers_the_export(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        signed(ledger)
        note = present(ledger)
        done = exported(ledger)
        a_lead(ledger)
        signed(ledger)
        assert Exporter(ledger, night_after(today_in_china())).made_again(today_in_china()) == []
        told = manifest(done.folder)["checkpoint"]
    assert (told["checkpoint"], told["size"]) == (str(note), 2)


def test_nothing_that_does_not_hold_leaves_the_house(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.published.raise_alarm("Position 1 does not hold.", now())
        with pytest.raises(NotReady, match="does not hold"):
            exported(ledger)
        assert Shelf(ledger.settings.exports).days() == []


def test_what_is_exported_cannot_go_back(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        exported(ledger, today_in_china() - DAY, position=2)
        with pytest.raises(Refused, match="before that"):
            exported(ledger, position=1)
        assert cut_of(Shelf(ledger.settings.exports).manifest(today_in_china() - DAY)).position == 2
