"""The workbooks that an import gives back: the template, and a marked copy of what is wrong."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from domain.money import UNITS
from service.columns import COLUMNS
from service.exports.workbook import A3, MOST_ROWS
from service.paper import AGREEMENTS, OUTCOME_WORDS
from service.personal.contacts import NAME_MASKS, PHONE_MASKS, Masks, cover
from service.sheets import BadCell, BadSheet, Source
from service.written import plain

_SHEET, _ABOUT, _REASONS = "台账", "说明", "问题"
# Rows of the template that have drop-downs and formats.
_ROWS = 2000
# Of the template nothing changes from one day to another.
_MADE = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_CHOICES = {
    "单位": list(UNITS),
    "协议单位": list(UNITS),
    "协议类型": [word for word in AGREEMENTS if word in ("合同", "框架")],
    "终止结果": list(OUTCOME_WORDS),
}
# In characters: of a copy's columns, and of the one with the reasons.
_WIDTH, _REASON_WIDTH = 12, 60
# Of one row; they are kept in memory.
_MOST_NOTES = 3
# The headings of a contact, in an export and as people write them → how it is masked.
_MASKS: dict[str, Masks] = {
    **dict.fromkeys(("联系人", "contact_name", "contact.name"), NAME_MASKS),
    **dict.fromkeys(
        (
            "联系电话",
            "联系方式",
            "电话",
            "手机",
            "手机号",
            "手机号码",
            "contact_phone",
            "contact.phone",
        ),
        PHONE_MASKS,
    ),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def template(path: Path) -> None:
    """A workbook to fill in: headings, one example, drop-downs where only some words fit, and a
    sheet that says what belongs into each column. Always the same bytes."""
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"title": "委员助招商台账模板", "created": _MADE})
        head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1})
        needed = book.add_format({"bold": True, "bg_color": "#FCE4D6", "border": 1})
        text = book.add_format({"num_format": "@"})
        sheet = book.add_worksheet(_SHEET)
        sheet.freeze_panes(1, 2)
        for at, column in enumerate(COLUMNS):
            # A Chinese character is as wide as two others.
            widest = max(len(column.heading), len(column.example))
            sheet.set_column(at, at, max(10, 2 * widest + 2), text)
            sheet.write_string(0, at, column.heading, needed if column.required else head)
            sheet.write_string(1, at, column.example, text)
            if column.heading in _CHOICES:
                choices = {"validate": "list", "source": _CHOICES[column.heading]}
                sheet.data_validation(1, at, _ROWS, at, choices)
        sheet.set_landscape()
        sheet.set_paper(A3)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        _explain(book.add_worksheet(_ABOUT), head)


def _explain(sheet: Any, head: Any) -> None:
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 6)
    sheet.set_column(2, 2, 60)
    sheet.set_column(3, 3, 24)
    for at, word in enumerate(("栏目", "必填", "填写说明", "英文名称")):
        sheet.write_string(0, at, word, head)
    for line, column in enumerate(COLUMNS, 1):
        words = (column.heading, "是" if column.required else "", column.about, column.name)
        for at, word in enumerate(words):
            sheet.write_string(line, at, word)


def mark(source: Source, bad: Iterable[BadCell], path: Path) -> None:
    """A copy of ``source``'s values, each in its place, with the reasons in a column after them,
    and the cells that they are about in red, with a note. Nothing in it is a formula."""
    reasons: dict[tuple[str | None, int], list[BadCell]] = defaultdict(list)
    bad = list(bad)
    for cell in bad:
        reasons[cell.sheet, cell.line].append(cell)
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        red = book.add_format(
            {"bg_color": "#FFC7CE", "font_color": "#9C0006", "text_wrap": True, "valign": "top"}
        )
        widths = _widths(source)
        for name, rows in source.tables():
            sheet = book.add_worksheet(name or _SHEET)
            after = widths.get(name, 0)
            sheet.set_column(0, max(after - 1, 0), _WIDTH)
            sheet.set_column(after, after, _REASON_WIDTH)
            contacts = Contacts()
            try:
                for line, values in rows:
                    if line <= MOST_ROWS:
                        shown = contacts.masked(values)
                        _copy(sheet, line, shown, reasons.get((name, line), []), (after, red))
            except BadSheet as why:
                book.add_worksheet(_REASONS).write_string(0, 0, _said_of(why, bad), red)
                return


def _said_of(why: BadSheet, bad: Iterable[BadCell]) -> str:
    """Why a file cannot be read on: as ``bad`` says it, where it does."""
    places = {cell[:4] for cell in why.cells}
    return "\n".join(map(str, [cell for cell in bad if cell[:4] in places] or why.cells))


class Contacts:
    """Masks a sheet's contacts: an import does not read them, and a copy does not spread them."""

    def __init__(self) -> None:
        # Column → how it is masked, as the last headings told.
        self._columns: dict[int, Masks] = {}

    def masked(self, values: Iterable[Any]) -> list[Any]:
        """A row's values, with what stands under the headings of a contact masked."""
        found = list(values)
        told = {
            at: _MASKS[text] for at, value in enumerate(found) if (text := plain(value)) in _MASKS
        }
        if told:
            self._columns = told
            return found
        for at, masks in self._columns.items():
            if at < len(found) and plain(found[at]):
                found[at] = cover(plain(found[at]), masks)
        return found


def _widths(source: Source) -> dict[str | None, int]:
    """How many columns each sheet has, as far as it can be read."""
    widths: dict[str | None, int] = {}
    with suppress(BadSheet):
        for name, rows in source.tables():
            for _, values in rows:
                widths[name] = max(widths.get(name, 0), len(values))
    return widths


def _copy(
    sheet: Any, line: int, values: Iterable[Any], bad: list[BadCell], after: tuple[int, Any]
) -> None:
    """One row, and what is wrong with it in the column and the format ``after`` it."""
    column, red = after
    letters = {cell.letters for cell in bad}
    if bad:
        # So high that all reasons are seen, whoever opens it.
        told = [f"{cell.column}: {cell.reason}" for cell in bad]
        lines = sum(1 + len(reason) // _REASON_WIDTH for reason in told)
        sheet.set_row(line - 1, min(15 * lines, 400))
        sheet.write_string(line - 1, column, "\n".join(told), red)
        for cell in bad[:_MOST_NOTES]:
            if cell.letters:
                sheet.write_comment(f"{cell.letters}{line}", cell.reason)
    for at, value in enumerate(values):
        text = plain(value)
        if text:
            style = red if xl_col_to_name(at) in letters else None
            sheet.write_string(line - 1, at, _harmless(text), style)
        elif xl_col_to_name(at) in letters:
            sheet.write_blank(line - 1, at, None, red)


def _harmless(text: str) -> str:
    """As text even to who copies it into another sheet."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.removeprefix("-").removeprefix("+").replace(".", "", 1).isdigit()
