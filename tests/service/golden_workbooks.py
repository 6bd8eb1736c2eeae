"""Makes the workbooks in golden/: what LibreOffice writes of a ledger kept by odd habits.

``python -m tests.service.golden_workbooks``, with soffice installed. The files are kept, for what
another version of it writes is another habit.
"""

import subprocess
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.service.sheets import FULL, Row
from tests.service.workbooks import values, workbook

GOLDEN = Path(__file__).parent / "golden"
# What the ledger says, under whatever habit it is written down.
PLAIN: tuple[Row, ...] = (FULL, {**FULL, "编号": "2", "计划投资": "30", "备注": ""})
# How each file is asked of LibreOffice.
KINDS = {"libreoffice.xlsx": "xlsx:Calc MS Excel 2007 XML", "libreoffice.xls": "xls:MS Excel 97"}


def make() -> None:
    """A workbook with a merged title, real dates, a formula with its value and full-width cells;
    then what LibreOffice makes of it in each of its own formats."""
    odd: list[list[object]] = [list(values(row)) for row in PLAIN]
    for cells in odd:
        cells[5], cells[11] = date(2025, 1, 9), "2025年1月20日"
        cells[15] = "２０２５．４．１１"
    odd[1][9:11] = [("=15*2", 30), "亿元"]
    with TemporaryDirectory() as folder:
        source = workbook(Path(folder) / "libreoffice.xlsx", odd, titles=["二〇二五年台账"])
        for name, kind in KINDS.items():
            made = Path(folder) / "made"
            words = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/home"]
            words += ["--convert-to", kind, "--outdir", str(made), str(source)]
            subprocess.run(words, check=True, capture_output=True)
            (GOLDEN / name).write_bytes((made / name).read_bytes())


if __name__ == "__main__":
    make()
