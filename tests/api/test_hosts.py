"""Which names the service answers to, and what a browser may do with its answers."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from service.settings import Settings, WrongSetting
from tests.api.office import Office, open_office, problem_of, settings_in


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Office]:
    """An office that is asked for by its name."""
    office = open_office(replace(settings_in(tmp_path), hosts=frozenset({"ledger.example.cn"})))
    yield office
    office.close()


@pytest.mark.parametrize(
    "host",
    [
        "ledger.example.cn",
        "LEDGER.example.cn:8000",
        "ledger.example.cn.",
        "127.0.0.1:8000",
        "[::1]",
    ],
)
def test_a_request_by_a_name_of_ours_is_served(named: Office, host: str) -> None:
    assert named.officer.get("/v1/leads", Host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "ledger.example.cn.evil.example", ""])
@pytest.mark.parametrize("path", ["/v1/leads", "/healthz", "/docs/"])
def test_one_by_another_name_is_refused(named: Office, host: str, path: str) -> None:
    answer = named.officer.get(path, Host=host)
    problem = problem_of(answer, 421, "misdirected")
    assert f"'{host}'" in problem["detail"]
    assert answer.headers["X-Request-Id"] in problem["instance"]


def test_without_the_setting_any_name_will_do(office: Office) -> None:
    assert office.officer.get("/v1/leads", Host="anything.example").status_code == 200


@pytest.mark.parametrize("text", ["ledger.example.cn:443", "https://a", "a b", "me@a"])
def test_what_is_no_name_stops_the_start(text: str) -> None:
    with pytest.raises(WrongSetting, match=r"LEDGER_HOSTS: .* is no name of a host"):
        Settings.from_environment({"LEDGER_HOSTS": text})


def test_a_browser_may_do_nothing_with_what_is_no_page(office: Office) -> None:
    for path in ("/v1/leads", "/healthz", "/v1/nowhere"):
        headers = office.officer.get(path).headers
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_of_the_document_runs_its_own_scripts_alone(office: Office) -> None:
    answer = office.officer.get("/docs/")
    (policy,) = answer.headers.getlist("Content-Security-Policy")
    inline = answer.text.partition("<script>")[2].partition("</script>")[0]
    digest = b64encode(sha256(inline.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert answer.text.count("<script>") == 1
    script = office.officer.get("/docs/swagger-ui-bundle.js").headers
    assert script["Content-Security-Policy"].startswith("default-src 'none'")
