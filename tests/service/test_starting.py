"""What a process loads before it does anything: what few need is loaded by those."""

import subprocess
import sys

import pytest

from tests.faults.serving import HOME

# Needed by the web alone; by some commands and some requests; and by no part of ours, but what we
# stand on uses it where there is one.
_WEB = {"flask", "jinja2", "marshmallow", "gevent", "pyarrow", "xlsxwriter"}
_SELDOM = {"openpyxl", "docx", "joserfc", "psycopg"}
_NEVER = {"pandas"}


@pytest.mark.parametrize(
    ("begins", "without"),
    [("service.cli", _WEB | _SELDOM | _NEVER), ("api", _SELDOM | _NEVER)],
)
def test_what_few_need_is_loaded_by_those(begins: str, without: set[str]) -> None:
    program = f"import {begins}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=HOME, check=True, capture_output=True
    )
    loaded = set(done.stdout.decode().split())
    assert {"service.application", "sqlalchemy"} <= loaded
    assert without & loaded == set()
