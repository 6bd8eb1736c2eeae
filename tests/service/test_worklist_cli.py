"""``leadledger worklist``."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from service.cli import main
from service.working_days import KNOWN_UNTIL


@pytest.mark.usefixtures("demo")
def test_the_worklist_is_printed_a_line_each_the_oldest_first() -> None:
    lines = CliRunner().invoke(main, ["worklist", "--due-by", "2026-02-01"]).stdout.splitlines()
    assert lines == sorted(lines, key=lambda line: line[:10]) and len(lines) > 5
    assert any("拟签约到期  《12英寸大晶圆项目》2026-01-15预计签约" in line for line in lines)


@pytest.mark.usefixtures("demo")
def test_machines_get_json_lines() -> None:
    words = ["worklist", "--due-by", "2026-02-01", "--rule", "slipped", "--json"]
    (line,) = CliRunner().invoke(main, words).stdout.splitlines()
    assert json.loads(line)["due_on"] == "2026-01-15"


@pytest.mark.usefixtures("demo")
def test_beyond_the_known_holidays_there_is_a_warning() -> None:
    answer = CliRunner().invoke(main, ["worklist", "--due-by", f"{KNOWN_UNTIL + timedelta(1)}"])
    assert answer.exit_code == 0 and "Holidays are known until" in answer.stderr
