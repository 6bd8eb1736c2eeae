"""A printed report as DOCX, for the office to edit: A4 by the measures of official documents
(GB/T 9704), Chinese fonts by the names that Word and WPS know them by."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Length, Mm, Pt, RGBColor

from service.exports.table import Column, Kind, Table
from service.reports.fonts import FANGSONG, HEITI, SONGTI, declare_fonts
from service.reports.printed import Printed, cell, is_number

_A4 = (Mm(210), Mm(297))
# Top, right, bottom, left.
_MARGINS = (Mm(37), Mm(26), Mm(35), Mm(28))
_NARROW = (Mm(20), Mm(18), Mm(18), Mm(18))


class _Type(NamedTuple):
    """Font and size in points of a style."""

    style: str
    font: str
    size: float
    bold: bool = False


_TYPES = (
    _Type("Normal", FANGSONG, 16),
    _Type("Title", SONGTI, 22, bold=True),
    _Type("Heading 2", HEITI, 14),
    _Type("Caption", SONGTI, 9),
)
_CELL = 9.0
# How wide columns are beside one another, unless they say it.
_WEIGHTS: Mapping[Kind, float] = {Kind.COUNT: 7, Kind.YUAN: 10, Kind.DAY: 14}
_WEIGHT = 12.0


def document(report: Printed, made: datetime) -> bytes:
    """The file. ``made`` (with its zone) is when it says that it was made."""
    doc = Document()
    declare_fonts(doc)
    _page(doc, wide=report.wide)
    for type_ in _TYPES:
        _set_type(doc, type_)
    doc.add_paragraph(report.title, style="Title").alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in report.paragraphs:
        paragraph = doc.add_paragraph(text)
        # Two characters, as every Chinese paragraph begins.
        paragraph.paragraph_format.first_line_indent = Pt(32)
    for table in report.tables:
        _add_table(doc, table)
    for note in report.notes:
        doc.add_paragraph(note, style="Caption")
    _number_pages(doc)
    about = doc.core_properties
    about.title, about.author, about.comments = report.title, "", ""
    about.created = about.modified = made.astimezone(UTC).replace(tzinfo=None)
    file = BytesIO()
    doc.save(file)
    return file.getvalue()


def _page(doc: Any, *, wide: bool) -> None:
    section = doc.sections[0]
    width, height = _A4[::-1] if wide else _A4
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = width, height
    margins = _NARROW if wide else _MARGINS
    section.top_margin, section.right_margin = margins[:2]
    section.bottom_margin, section.left_margin = margins[2:]


def _set_type(doc: Any, type_: _Type) -> None:
    style = doc.styles[type_.style]
    style.font.size, style.font.bold = Pt(type_.size), type_.bold
    style.font.color.rgb = RGBColor(0, 0, 0)
    for line in style.element.xpath("w:pPr/w:pBdr"):
        line.getparent().remove(line)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    for script in ("ascii", "hAnsi", "eastAsia"):
        fonts.set(qn(f"w:{script}"), type_.font)


def _add_table(doc: Any, table: Table) -> None:
    doc.add_paragraph(table.title, style="Heading 2")
    rows = [
        [cell(column, value) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    grid = doc.add_table(rows=1 + len(rows), cols=len(table.columns), style="Table Grid")
    grid.autofit = False
    widths = _widths(doc.sections[0], table.columns)
    for column, width in zip(grid.columns, widths, strict=True):
        column._gridCol.w = width
    for row, texts in zip(
        grid.rows, [[column.heading for column in table.columns], *rows], strict=True
    ):
        _fill(row.cells, table.columns, texts, widths)
    _repeat(grid.rows[0])
    for note in table.notes:
        doc.add_paragraph(note, style="Caption")


def _widths(section: Any, columns: Sequence[Column]) -> list[Length]:
    """The width between the margins, shared out."""
    whole = section.page_width - section.left_margin - section.right_margin
    weights = [column.width or _WEIGHTS.get(column.kind, _WEIGHT) for column in columns]
    return [Length(int(whole * weight / sum(weights))) for weight in weights]


def _fill(
    cells: Sequence[Any], columns: Sequence[Column], texts: Sequence[str], widths: Sequence[Length]
) -> None:
    for place, column, text, width in zip(cells, columns, texts, widths, strict=True):
        place.width = width
        paragraph = place.paragraphs[0]
        paragraph.paragraph_format.space_after = Pt(0)
        if is_number(column):
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        paragraph.add_run(text).font.size = Pt(_CELL)


def _repeat(row: Any) -> None:
    """Let the row stand at the head of every page."""
    head = OxmlElement("w:tblHeader")
    head.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(head)


def _number_pages(doc: Any) -> None:
    paragraph = doc.sections[0].footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)
