"""A report as a workbook of its own (XLSX)."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from service.exports.workbook import write_workbook
from service.reports.printed import Printed


def workbook(report: Printed, made: datetime) -> bytes:
    """The file, of a report that has ``sheets``. ``made`` (with its zone) is when it says that it
    was made."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{report.name}.xlsx"
        write_workbook(path, report.sheets, made=made, subtitle="".join(report.notes))
        return path.read_bytes()
