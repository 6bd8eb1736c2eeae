"""The command line: what it prints, what it leaves, and the status it ends with."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
from pathlib import Path
from subprocess import PIPE, CompletedProcess, run
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api import create_app
from service.cli import main
from service.locks import FileLock
from tests.databases import is_on_postgresql
from tests.faults.serving import COMMAND, HOME, PATIENCE, Server, environment, serving
from tests.postgres import database_of, rows
from tests.service.helpers import ledger_in, processes, register, settings_in, sqlite_log, whole_log
from tests.service.sheets import FULL, row, sheet

TOKEN = re.compile(r"ll_[0-9a-f]{12}_[A-Za-z0-9_-]{43}[0-9a-f]{8}\n")
WINDOW = "from=2025-01-01&to=2025-12-29"


def command(folder: Path, *words: str, **settings: str) -> Result:
    """The command, carried out in this process."""
    return CliRunner().invoke(main, words, env=environment(folder, HOME, **settings))


def process(folder: Path, *words: str, **settings: str) -> "CompletedProcess[str]":
    """The command in a process of its own, as a user starts it."""
    surroundings = environment(folder, HOME, **settings)
    return run(
        [*COMMAND, *words],
        env=surroundings,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def one_line(result: Result) -> str:
    """The sentence that a refused command ended with: alone on stderr, status 1, no more."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


# Tokens


@pytest.mark.parametrize("role", ["officer", "auditor", "admin"])
def test_token_issue_prints_the_token_alone_on_its_line(tmp_path: Path, role: str) -> None:
    result = command(tmp_path, "token", "issue", "--role", role, "--name", "招商办")
    assert result.exit_code == 0
    assert TOKEN.fullmatch(result.stdout)
    assert result.stderr == ""


def test_a_token_works_at_once_against_a_running_application(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))
    try:
        client = app.test_client()
        assert client.get("/v1/members").status_code == 401
        issued = process(tmp_path, "token", "issue", "--role", "auditor")
        assert (issued.returncode, issued.stderr) == (0, "")
        bearer = {"Authorization": f"Bearer {issued.stdout.strip()}"}
        assert client.get("/v1/members", headers=bearer).status_code == 200
        assert client.post("/v1/members", json={}, headers=bearer).status_code == 403
    finally:
        app.extensions["ledger"].close()


def test_a_token_is_listed_rotated_and_revoked_under_a_running_application(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))
    try:
        client = app.test_client()

        def asked(token: str) -> tuple[int, str]:
            answer = client.get("/v1/members", headers={"Authorization": f"Bearer {token}"})
            return answer.status_code, (answer.json or {}).get("detail", "")

        first = command(
            tmp_path, "token", "issue", "--role", "auditor", "--days", "30"
        ).stdout.strip()
        first_id = first.split("_")[1]
        second = command(tmp_path, "token", "rotate", first_id).stdout.strip()
        second_id = second.split("_")[1]
        assert asked(first)[0] == 401 and asked(first)[1].startswith("This token was revoked at ")
        assert asked(second)[0] == 200
        listed = command(tmp_path, "token", "list").stdout
        assert re.search(f"{first_id}\tauditor\tauditor\tissued .*\trevoked ", listed)
        assert re.search(f"{second_id}\tauditor\tauditor\tissued .*\tuntil ", listed)
        told = command(tmp_path, "token", "list", "--json").stdout.splitlines()
        assert [json.loads(line)["id"] for line in told] == [first_id, second_id]
        assert first[20:] not in listed and second[20:] not in listed
        assert command(tmp_path, "token", "revoke", second_id).exit_code == 0
        assert asked(second)[0] == 401
        assert "was revoked at" in one_line(command(tmp_path, "token", "revoke", second_id))
        assert one_line(command(tmp_path, "token", "revoke", "x")).startswith("There is no token x")
    finally:
        app.extensions["ledger"].close()


def test_a_members_token_names_its_member_and_no_other_token_does(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = str(register(ledger).subject)
    issue = ("token", "issue", "--role")
    assert TOKEN.fullmatch(command(tmp_path, *issue, "member", "--member", member).stdout)
    assert "names its member" in one_line(command(tmp_path, *issue, "member"))
    assert "names its member" in one_line(command(tmp_path, *issue, "officer", "--member", member))


def test_a_token_is_listed_with_its_district_and_its_last_use(tmp_path: Path) -> None:
    issue = ("token", "issue", "--role", "officer")
    limited = command(tmp_path, *issue, "--district", "3208").stdout.split("_")[1]
    free = command(tmp_path, *issue).stdout.split("_")[1]
    with ledger_in(tmp_path) as ledger:
        ledger.tokens.uses.note(free)
    listed = command(tmp_path, "token", "list").stdout
    assert re.search(
        f"{limited}\tofficer\tofficer\tissued .*\tdistrict 3208\tnot used\tgood", listed
    )
    assert re.search(f"{free}\tofficer\tofficer\tissued .*\tdistrict \\*\tused 2.*\tgood", listed)
    said = one_line(command(tmp_path, *issue, "--district", "320"))
    assert "'320' is no district prefix" in said


def test_an_import_may_be_limited_to_a_district(tmp_path: Path) -> None:
    path = str(sheet(tmp_path / "a.csv", [row(1, 区划代码="440106")]))
    said = one_line(command(tmp_path, "import", path, "--district", "3208"))
    assert "440106 is outside of it" in said
    for wrong in ("%", "320", "990000"):
        assert command(tmp_path, "import", path, "--district", wrong).exit_code == 2
    assert command(tmp_path, "import", path, "--district", "44").exit_code == 0


def test_a_token_for_a_member_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    said = one_line(command(tmp_path, "token", "issue", "--role", "member", "--member", nobody))
    assert said == f"There is no member {nobody}."


@pytest.mark.parametrize("name", ["  ", "a\nb", "x" * 101])
def test_a_token_with_a_name_that_cannot_be_kept_is_refused(tmp_path: Path, name: str) -> None:
    result = command(tmp_path, "token", "issue", "--role", "admin", "--name", name)
    assert "name" in one_line(result)


# Wrong usage


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-command"],
        ["token"],
        ["token", "issue"],
        ["token", "issue", "--role", "king"],
        ["token", "issue", "--role", "member", "--member", "QJP-001"],
        ["import"],
        ["import", "no-such-file.csv"],
        ["import", "."],
        ["projections", "forget"],
        ["demo", "2024"],
        ["serve", "--port", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_2_and_touches_nothing(
    tmp_path: Path, words: list[str]
) -> None:
    result = command(tmp_path, *words)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_is_no_failure(tmp_path: Path) -> None:
    for words in (["--help"], ["-h"], ["token", "issue", "--help"], ["import", "-h"]):
        result = command(tmp_path, *words)
        assert result.exit_code == 0
        assert "Usage: " in result.stdout


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEDGER_DATABASE", "postgresql://localhost"),
        ("LEDGER_DATABASE", "ledger.sqlite"),
        ("LEDGER_DATABASE", "sqlite:///"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("LEDGER_WORKERS", "-1"),
        ("LEDGER_WORKERS", "two"),
        ("LEDGER_LOCK_TIMEOUT", "0"),
        ("LEDGER_LOCK_TIMEOUT", "nan"),
        ("LEDGER_LOCK_TIMEOUT", "inf"),
        ("LEDGER_BIND", "a b"),
    ],
)
@pytest.mark.parametrize("words", [["demo"], ["serve"], ["projections", "status"]], ids=" ".join)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, words: list[str], name: str, value: str
) -> None:
    assert one_line(command(tmp_path, *words, **{name: value})).startswith(f"{name}: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["LEDGER_KEEPER_DIR", "LEDGER_EXPORT_DIR"])
@pytest.mark.parametrize("word", ["serve", "keeper"])
def test_a_folder_that_cannot_be_used_stops_the_start_with_one_line_that_names_its_setting(
    tmp_path: Path, word: str, name: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = one_line(command(tmp_path, word, **{name: f"{tmp_path / 'file' / 'folder'}"}))
    assert said.startswith(f"{name}: ")
    assert said.endswith("Not a directory.")


READING = [
    ["projections", "status"],
    ["projections", "rebuild"],
    ["audit", "verify"],
    ["audit", "checkpoint"],
    ["token", "list"],
    ["export", "--due"],
    ["report", "annual", "2025"],
    ["worklist"],
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_only_reads_makes_no_ledger_where_there_is_none(
    tmp_path: Path, words: list[str]
) -> None:
    # On PostgreSQL an empty database, which the command then finds.
    empty = database_of(tmp_path) if is_on_postgresql(tmp_path) else None
    said = one_line(command(tmp_path, *words))
    place = empty.url if empty else tmp_path / "ledger.sqlite"
    assert said.startswith(f"There is no ledger at {place}: ")
    assert list(tmp_path.iterdir()) == []
    assert empty is None or rows(empty, "SELECT 1 FROM pg_namespace WHERE nspname = 'ledger'") == []


@pytest.mark.parametrize("word", ["serve", "keeper"])
def test_a_mistyped_setting_is_told_at_the_start(tmp_path: Path, word: str) -> None:
    (tmp_path / "file").write_text("in the way")
    wrong = {"LEDGER_KEEPER_DIR": f"{tmp_path / 'file' / 'folder'}", "LEDGER_WORKER": "3"}
    done = command(tmp_path, word, **wrong)
    warning, end = done.stderr.splitlines()
    assert warning == "Warning: LEDGER_WORKER is no setting; the nearest is LEDGER_WORKERS."
    assert end.startswith("Error: LEDGER_KEEPER_DIR: ")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in one_line(command(tmp_path / "file" / "ledger", "demo"))


@pytest.mark.sqlite_alone("a damaged file")
def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"\x00garbage" * 1000)
    said = one_line(command(tmp_path, "demo"))
    assert "not a database" in said


@pytest.mark.sqlite_alone("a damaged file; test_postgres_projections.py has a schema that is gone")
def test_projections_that_are_no_database_are_made_anew_and_the_log_says_so(
    tmp_path: Path,
) -> None:
    command(tmp_path, "demo")
    damaged = tmp_path / "ledger.sqlite.projections"
    damaged.write_bytes(b"\x00garbage" * 1000)
    done = command(tmp_path, "worklist")
    assert done.exit_code == 0, done.stderr
    again = command(tmp_path, "worklist")
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.sqlite_alone("the file's lock; test_store.py has both")
def test_a_ledger_that_another_writer_holds_is_refused_in_one_line(tmp_path: Path) -> None:
    command(tmp_path, "demo")
    with FileLock(tmp_path / "ledger.sqlite.lock", 5).held():
        issue = ("token", "issue", "--role", "auditor")
        said = one_line(command(tmp_path, *issue, LEDGER_LOCK_TIMEOUT="0.2"))
    assert said.startswith("Waited 0.2 s to write;")


# Import and demo


def test_an_import_says_in_one_line_what_it_did(tmp_path: Path) -> None:
    path = str(sheet(tmp_path / "a.csv", [FULL, row(2)]))
    would = command(tmp_path, "import", "--dry-run", path)
    assert would.exit_code == 0
    assert would.stdout == (
        "2 leads and 1 members would be recorded in 7 events; 0 rows were there already.\n"
    )
    done = command(tmp_path, "import", path)
    assert done.exit_code == 0
    assert done.stdout == (
        "2 leads and 1 members recorded in 7 events; 0 rows were there already.\n"
    )
    again = command(tmp_path, "import", path)
    assert again.exit_code == 0
    assert again.stdout == (
        "0 leads and 0 members recorded in 0 events; 2 rows were there already.\n"
    )


def test_a_refused_import_ends_with_status_1_and_every_bad_cell_on_a_line_of_stderr(
    tmp_path: Path,
) -> None:
    path = sheet(tmp_path / "a.csv", [row(1, 区划代码="1"), row(2), row(3, 提供日期="x")])
    result = process(tmp_path, "import", str(path))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "Error: line 2, 区划代码: '1' is no GB/T 2260 district code of six digits, like 320812.",
        "line 4, 提供日期: 'x' is no day of the calendar, like 2025-03-18.",
    ]
    with ledger_in(tmp_path) as ledger:
        assert whole_log(ledger) == []


def test_an_import_into_a_pipe_draws_no_progress_bar(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [FULL])
    result = process(tmp_path, "import", str(path))
    assert (result.returncode, result.stderr) == (0, "")


def test_an_import_on_a_terminal_draws_a_progress_bar(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [FULL, *(row(n) for n in range(2, 40))])
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        done = run(
            [*COMMAND, "import", str(path)],
            env=environment(tmp_path),
            stdout=PIPE,
            stderr=theirs,
            timeout=PATIENCE,
            check=False,
        )
        os.close(theirs)
        drawn = terminal.read(65536).decode()
    assert done.returncode == 0
    assert "a.csv" in drawn
    assert "100%" in drawn
    assert done.stdout.decode().count("\n") == 1


def test_who_imported_is_in_every_event(tmp_path: Path) -> None:
    command(tmp_path, "import", str(sheet(tmp_path / "a.csv", [FULL])))
    with ledger_in(tmp_path) as ledger:
        events = [json.loads(event.state) for event in whole_log(ledger)]
    assert {event["actor"] for event in events} == {"import of a.csv"}


def test_the_demo_loads_the_year_2025_once(tmp_path: Path) -> None:
    first, second = command(tmp_path, "demo"), command(tmp_path, "demo")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "11 leads recorded; 0 were there already.\n"
    assert second.stdout == "0 leads recorded; 11 were there already.\n"


def demo_at_once(barrier: Any, folder: Path) -> str:
    """Load the demonstration together with everybody else; what is said, or went wrong."""
    barrier.wait()
    told = command(folder, "demo")
    return told.stdout if told.exit_code == 0 else told.output


def test_however_many_load_the_demo_at_once_it_is_there_and_nobody_fails(tmp_path: Path) -> None:
    for number in range(2):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        told = sorted(processes(demo_at_once, *[(folder,)] * 6))
        there = "0 leads recorded; 11 were there already.\n"
        assert told == [*[there] * 5, "11 leads recorded; 0 were there already.\n"]


# Projections


def test_projections_status_says_how_far_each_has_come(tmp_path: Path) -> None:
    command(tmp_path, "demo")
    behind = command(tmp_path, "projections", "status")
    assert behind.exit_code == 0
    lines = [line.split("\t") for line in behind.stdout.splitlines()]
    with ledger_in(tmp_path) as ledger:
        last = len(whole_log(ledger))
    names = [name for name, _ in lines]
    assert {"leads", "members", "history", "entries"} <= set(names)
    assert {place for _, place in lines} == {f"0 of {last}"}
    rebuilt = command(tmp_path, "projections", "rebuild")
    assert (rebuilt.exit_code, rebuilt.stdout) == (0, f"Rebuilt up to position {last}.\n")
    after = command(tmp_path, "projections", "status")
    assert after.stdout.splitlines() == [f"{name}\t{last} of {last}" for name in names]


def test_projections_of_an_empty_ledger_are_rebuilt_too(tmp_path: Path) -> None:
    with ledger_in(tmp_path):
        pass
    result = command(tmp_path, "projections", "rebuild")
    assert (result.exit_code, result.stdout) == (0, "Rebuilt up to position 0.\n")


def test_projections_check_tells_of_rows_that_somebody_changed(tmp_path: Path) -> None:
    command(tmp_path, "demo")
    good = command(tmp_path, "projections", "check")
    assert good.exit_code == 0 and "Every row is what the log makes it" in good.stdout
    with ledger_in(tmp_path) as ledger, ledger.reads.store.writing() as connection:
        connection.exec_driver_sql("UPDATE entries SET fen = fen * 10 WHERE position = 30")
    bad = command(tmp_path, "projections", "check")
    assert bad.exit_code == 1 and "entries: 1 rows too many, 1 missing" in bad.stdout
    assert "1 tables are otherwise than the log makes them" in bad.stderr
    assert command(tmp_path, "projections", "rebuild").exit_code == 0
    assert command(tmp_path, "projections", "check").exit_code == 0


@pytest.mark.sqlite_alone("a row of the file")
def test_a_log_that_cannot_be_read_stops_a_rebuild_with_one_line_that_names_the_event(
    tmp_path: Path,
) -> None:
    command(tmp_path, "demo")
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    with ledger_in(tmp_path) as ledger:
        table = sqlite_log(ledger).events_table_name
    other.execute(f"UPDATE {table} SET topic = 'lead.unheard_of' WHERE rowid = 7")
    other.commit()
    other.close()
    said = one_line(command(tmp_path, "projections", "rebuild"))
    assert "lead.unheard_of" in said
    assert "position 7" in said


# Serving


def pasted(server: Server, line: str) -> "CompletedProcess[str]":
    """The line, pasted into a shell."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    return run(["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_serve_greets_with_a_token_and_a_line_that_works_and_stops_whole(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as server:
        loaded, answers, shown_once, token, curl = server.said.splitlines()
        assert loaded == "Loaded the 2025 ledger: 11 leads."
        assert f"http://127.0.0.1:{server.port}" in answers
        assert "once" in shown_once
        assert TOKEN.fullmatch(token + "\n")
        answer = json.loads(pasted(server, curl).stdout)
        assert (answer["tips"], answer["landed"]["count"], answer["balanced"]) == (11, 2, True)
        standing = {s["stage"]: s["standing"]["count"] for s in answer["stages"]}
        assert list(standing.values()) == [3, 6, 1, 1, 0]
        assert answer["about_to_sign"] == {"count": 1, "cny": "3000000000"}
        processes = Path(f"/proc/{server.process.pid}")
        assert token not in (processes / "cmdline").read_text()
        assert token not in (processes / "environ").read_text()
        assert server.stop() == 0
        assert not server.alive(), "gunicorn left a process behind"
        assert "Traceback" not in server.complained

    with serving(tmp_path, "--demo", port=server.port) as again:
        assert "ll_" not in again.said
        assert "Loaded" not in again.said
        with again.client(token) as client:
            reply = client.get(f"/v1/pipeline?{WINDOW}")
            assert (reply.status, reply.body["tips"]) == (200, 11)
            issued = process(tmp_path, "token", "issue", "--role", "officer")
            with again.client(issued.stdout.strip()) as officer:
                assert officer.get("/v1/leads").status == 200
        assert again.stop(signal.SIGINT) == 0
        assert not again.alive(), "gunicorn left a process behind"


def test_who_stops_it_as_soon_as_it_greets_does_not_wait_for_workers_that_are_not_there_yet(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path, LEDGER_WORKERS="4")
    try:
        server.process.terminate()
        # Less than the 20 s for which gunicorn waits for what is under way.
        assert server.process.wait(19) == 0
    finally:
        server.end()


def test_a_start_on_a_taken_port_fails_and_does_not_use_up_the_first_token(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failed = Server(tmp_path, port=taken.getsockname()[1], wait=False)
        try:
            assert failed.process.wait(PATIENCE) == 1
        finally:
            failed.end()
    assert failed.said == ""
    with serving(tmp_path) as server:
        assert TOKEN.fullmatch(server.token + "\n"), "no administrator ever got a token"


@pytest.mark.sqlite_alone("a path")
def test_a_database_named_relative_to_the_folder_one_stands_in_is_the_one_that_is_served(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    for package in ("domain", "service", "api"):
        shutil.copytree(HOME / package, home / package)
    shutil.copy(HOME / "wsgi.py", home)
    here = tmp_path / "here"
    with serving(here, home=home, LEDGER_DATABASE="sqlite:///mine.sqlite") as server:
        assert (here / "mine.sqlite").exists()
        with server.client() as client:
            reply = client.get("/v1/leads")
    assert reply.status == 200, "the token that was printed is none of the ledger that is served"
    assert not (home / "mine.sqlite").exists()
