"""What was erased is found nowhere: not in any file, not by any read, not after any accident."""

import service  # noqa: F401, I001 - a safe SQLite first

import logging
import shutil
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from eventsourcing.persistence import StoredEvent

from domain.actor import acting, now
from service.application import Ledger
from service.cli import main
from service.personal.erasures import ERASURES, UNMASKED, Erased
from service.personal.keys import keys as keys_table
from tests.api.office import Body, Office, a_tip, open_office, send, settings_in
from tests.databases import name_in_environment
from tests.exports.shelf import exported, rows
from tests.proof.ground import signed
from tests.service.helpers import (
    call,
    check_projections,
    ledger_in,
    processes,
    raw,
    register,
    somebody,
    tip,
)
from tests.service.sheets import row, take_in, text

pytestmark = pytest.mark.both_databases

# Marked: found by chance nowhere.
PHONE, NAME = "13987654321", "欧阳甲乙丙"
CONTACT = {"name": NAME, "phone": PHONE}
WHY = {"reason": "本人要求"}
GONE = ("已删除", "已删除")


def traces(secret: str) -> Iterator[bytes]:
    """Everything that a text may stand as."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
        data = secret.encode(encoding)
        yield data
        yield data.hex().encode()
        for shift in range(3):
            # What base64 makes of it wherever it begins, without what its neighbours change.
            aligned = b64encode(bytes(shift) + data)
            yield aligned[-(-shift * 4 // 3) : len(aligned) - 4]
    yield secret.encode("unicode-escape")
    yield orjson.dumps(secret)[1:-1]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file beneath, and what is packed in it."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield f"{path}", path.read_bytes()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as packed:
                for name in packed.namelist():
                    yield f"{path}!{name}", packed.read(name)
        if path.suffix == ".parquet":
            yield f"{path} unpacked", f"{pq.read_table(path).to_pylist()}".encode()


def found(folder: Path, *secrets: str) -> list[str]:
    """The files in which one of these texts is."""
    wanted = [trace for secret in secrets for trace in traces(secret)]
    return [name for name, data in contents(folder) if any(trace in data for trace in wanted)]


def record_everywhere(office: Office) -> Body:
    """The contact through every door that there is; the lead that still has it."""
    officer = office.officer
    member_id = officer.register()["id"]
    tipped = a_tip(member_id, contact=CONTACT)
    lead: Body = officer.post("/v1/leads", tipped, Idempotency_Key="k1").json or {}
    office.one("member", member_id).tip(member_id, title="委员报的", contact=CONTACT)
    other = officer.tip(member_id, title="后来知道的", contact={"name": "王", "phone": None})
    officer.command(other, "revision", contact=CONTACT)
    officer.command(other, "corrections", facts={"contact": CONTACT})
    officer.post("/v1/leads", a_tip("x", contact=CONTACT))
    officer.post("/v1/leads", {**tipped, "contact": {**CONTACT, "fax": "1"}})
    stale = f"/v1/leads/{other['id']}/revision"
    revised = {"contact": {**CONTACT, "name": f"{NAME}丁"}, "occurred_on": "2025-05-01"}
    officer.post(stale, revised, If_Match='"1"')
    bad = {**row(1, 区划代码="1"), "联系人": NAME, "联系电话": PHONE}
    refused = send(officer, text([bad], bad).encode())
    marked = officer.call("GET", (refused.json or {})["marked"])
    assert marked.status_code == 200
    return lead


def read_everything(office: Office, lead: Body) -> list[bytes]:
    """Every read, of every role that may."""
    path = f"/v1/leads/{lead['id']}"
    reads = [path, f"{path}?version=1", f"{path}?as_of=2026-01-01", f"{path}/history", "/v1/leads"]
    reads += ["/v1/leads?as_of=2026-01-01", "/v1/worklist", "/v1/reports/annual/2025"]
    answers = [
        office.one(role).get(read).data
        for role in ("officer", "auditor", "admin")
        for read in reads
    ]
    auditor = office.one("auditor")
    audits = ["/v1/audit/events?limit=200", f"/v1/audit/leads/{lead['id']}/proof"]
    answers += [auditor.get(read).data for read in audits]
    answers.append(auditor.get("/v1/audit/events", Accept="application/x-ndjson").data)
    return answers


def test_an_erased_number_is_in_no_byte_of_any_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_in(tmp_path)
    name_in_environment(monkeypatch, settings.database.parent)
    office = open_office(settings)
    lead = record_everywhere(office)
    office.ledger.personal.keys.of_person("another")
    signed(office.ledger)
    before = read_everything(office, lead)
    assert not [answer for answer in before for trace in traces(PHONE) if trace in answer]
    plain = office.officer.ok(f"/v1/leads/{lead['id']}?contact=plain&reason=回电")["contact"]
    assert (plain["name"], plain["phone"]) == (NAME, PHONE), "or nothing was recorded"
    first = exported(office.ledger)
    kept = (first.folder / "manifest.json").read_bytes()

    told = office.one("admin").ok(f"/v1/subjects/{plain['subject']}/erasure", WHY)
    assert told["exports"] == [f"{first.cut.day}"]
    assert found(tmp_path, PHONE, NAME) == []
    assert NAME not in caplog.text and PHONE not in caplog.text

    after = b"".join(read_everything(office, lead))
    assert not [trace for trace in traces(PHONE) if trace in after]
    assert b"139****4321" not in after and "欧**".encode() not in after
    later = exported(office.ledger, out=tmp_path / "later").folder
    assert {(one["联系人"], one["联系电话"]) for one in rows(later / "leads.csv")} == {GONE}
    shown = exported(office.ledger, out=tmp_path / "shown", personal=True).folder
    for folder in (later, shown):
        assert found(folder, PHONE, NAME) == []
        masks = (b"139****4321", "欧**".encode())
        assert not [name for name, data in contents(folder) if any(m in data for m in masks)]
    told_of = CliRunner().invoke(main, ["audit", "replay", lead["id"]])
    assert "已删除" in told_of.output and "****" not in told_of.output
    # The history still holds, and what is made from it is what it was.
    assert (first.folder / "manifest.json").read_bytes() == kept
    assert signed(office.ledger) is not None
    verified = CliRunner().invoke(main, ["audit", "verify"])
    assert verified.exit_code == 0, verified.output
    check_projections(office.ledger)
    assert found(tmp_path, PHONE, NAME) == []
    office.close()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        tip(ledger, member, summary=f"电话 {PHONE}", contact=CONTACT)
        exported(ledger, out=tmp_path / "out")
        names = {Path(name.partition("!")[0]).name for name in found(tmp_path, PHONE)}
    assert {"leads.csv", "leads.xlsx", "events.jsonl", "leads.parquet unpacked"} <= names
    for form in (PHONE.encode("utf-16-le"), b64encode(b"x" + PHONE.encode()), PHONE.encode().hex()):
        (tmp_path / "hidden").write_bytes(form if isinstance(form, bytes) else form.encode())
        assert f"{tmp_path / 'hidden'}" in found(tmp_path, PHONE)


def contact_of(ledger: Ledger, lead: UUID) -> Any:
    """The lead's contact as it is answered."""
    ledger.reads.position()
    return orjson.loads(ledger.personal.body(ledger.reads.lead(lead).body, named=False)[0])[
        "contact"
    ]


def a_person(ledger: Ledger) -> tuple[UUID, UUID]:
    """A lead with the contact; and the contact's subject."""
    answer = tip(ledger, register(ledger).subject, contact=CONTACT)
    return answer.subject, UUID(answer.body["contact"]["subject"])


def erase(ledger: Ledger, subject: UUID) -> None:
    """Erase the person."""
    with acting(somebody()):
        ledger.erase(subject, call(), WHY)


def test_killed_between_the_event_and_the_key_it_is_done_at_the_next_start(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, subject = a_person(ledger)
        said = Erased(ERASURES, 1, now(), "a", "r", f"{subject}", "x", [], [])
        ledger.recorder.insert_events([ledger.mapper.to_stored_event(said)])
        assert contact_of(ledger, lead) == {"name": "已删除", "phone": "已删除"}
        assert ledger.personal.keys.there([f"{subject}"]) == [f"{subject}"]
        # Nothing more is sealed with it.
        later = tip(ledger, register(ledger, "2").subject, contact=CONTACT)
        assert later.body["contact"]["subject"] != f"{subject}"
        assert contact_of(ledger, later.subject)["phone"] == "139****4321"
    with ledger_in(tmp_path) as ledger:
        assert ledger.personal.keys.there([f"{subject}"]) == []


def kept_keys(ledger: Ledger) -> list[dict[str, Any]]:
    """Every row of the keys."""
    with ledger.personal.keys.store.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(keys_table)).mappings()]


def put_back(ledger: Ledger, kept: list[dict[str, Any]]) -> None:
    """Have the keys be these."""
    with ledger.personal.keys.store.writing() as connection:
        connection.execute(sa.delete(keys_table))
        connection.execute(sa.insert(keys_table), kept)


def test_older_rows_of_keys_do_not_bring_a_person_back(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, subject = a_person(ledger)
        before = kept_keys(ledger)
        erase(ledger, subject)
        put_back(ledger, before)
    with ledger_in(tmp_path) as ledger:
        assert contact_of(ledger, lead) == {"name": "已删除", "phone": "已删除"}
        assert ledger.personal.keys.there([f"{subject}"]) == []


@pytest.mark.sqlite_alone("a copy of the file; the test before has the rows of one")
def test_an_older_copy_of_the_keys_does_not_bring_a_person_back(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, subject = a_person(ledger)
        keys = ledger.settings.subjects
        with raw(keys) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copy(keys, tmp_path / "copy")
        erase(ledger, subject)
    keys.with_name(keys.name + "-wal").unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy", keys)
    with ledger_in(tmp_path) as ledger:
        assert contact_of(ledger, lead) == {"name": "已删除", "phone": "已删除"}
        assert ledger.personal.keys.there([f"{subject}"]) == []


def test_a_key_that_is_missing_is_no_erasure(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, subject = a_person(ledger)
        before = kept_keys(ledger)
        ledger.personal.keys.destroy([f"{subject}"])
        assert contact_of(ledger, lead) == {"name": "无法解密", "phone": "无法解密"}
        put_back(ledger, before)
        assert contact_of(ledger, lead) == {"name": "欧**", "phone": "139****4321"}


def _tips(barrier: Any, folder: Path, number: str) -> list[str]:
    with ledger_in(folder) as ledger:
        member = register(ledger, number).subject
        barrier.wait()
        answers = [tip(ledger, member, contact=CONTACT) for _ in range(10)]
        return [answer.body["contact"]["subject"] for answer in answers]


def _erases(barrier: Any, folder: Path, subject: UUID) -> list[str]:
    with ledger_in(folder) as ledger:
        barrier.wait()
        erase(ledger, subject)
        return []


def test_tips_while_a_person_is_erased_are_erased_or_of_another_subject(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        _, subject = a_person(ledger)
        tips, again, _ = processes(
            _either, [_tips, tmp_path, "2"], [_tips, tmp_path, "3"], [_erases, tmp_path, subject]
        )
        assert len({*tips, *again} - {f"{subject}"}) <= 1
        ledger.reads.position()
        told = {}
        for one in ledger.recorder.select_notifications(None, 1000, topics=["lead.tipped"]):
            event: Any = ledger.mapper.to_domain_event(one)
            told[event.contact["subject"]] = contact_of(ledger, event.originator_id)["phone"]
        assert told.pop(f"{subject}") == "已删除"
        assert set(told.values()) <= {"139****4321"}
    with ledger_in(tmp_path) as ledger:
        assert ledger.personal.keys.there([f"{subject}"]) == []


def _either(barrier: Any, work: Any, *arguments: Any) -> Any:
    return work(barrier, *arguments)


def test_an_export_imported_again_changes_nothing(tmp_path: Path) -> None:
    with ledger_in(tmp_path / "one") as ledger, ledger_in(tmp_path / "other") as other:
        a_person(ledger)
        file = exported(ledger).folder / "leads.csv"
        assert take_in(ledger, file).unchanged == 1
        assert take_in(other, file).leads == 1
        assert take_in(other, file).unchanged == 1


def test_an_erasure_says_when_contacts_were_exported_as_they_are_since_the_person_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger_in(tmp_path) as ledger:
        name_in_environment(monkeypatch, ledger.settings.database.parent)
        ledger.access.note("personal-data", UNMASKED, subject="2025-01-01")
        _, subject = a_person(ledger)
        day = exported(ledger).cut.day
        made = ["export", "--date", f"{day}", "--position", "2", "--personal", "--out"]
        for folder in ("one", "two"):
            assert CliRunner().invoke(main, [*made, f"{tmp_path / folder}"]).exit_code == 0
        with acting(somebody()):
            told = ledger.erase(subject, call(), WHY).body
            again = ledger.erase(subject, call(), WHY).body
        noted, _ = ledger.access.listed(10, None, "personal-data")
    when = [one["at"] for one in reversed(noted) if one["action"] == UNMASKED]
    assert told["unmasked_exports"] == when[1:] and len(when) == 3
    assert again == told


def test_an_export_made_again_says_that_somebody_was_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger_in(tmp_path) as ledger:
        _, subject = a_person(ledger)
        day = exported(ledger).cut.day
        # An export that cannot say what is in it may hold whatever there was.
        broken = exported(ledger, day - timedelta(1), position=2, out=ledger.settings.exports)
        (broken.folder / "manifest.json").write_text("{}")
        name_in_environment(monkeypatch, ledger.settings.database.parent)
        again = ["export", "--date", f"{day}", "--again"]
        assert CliRunner().invoke(main, again).exit_code == 0
        with acting(somebody()):
            told = ledger.erase(subject, call(), WHY).body
        assert told["exports"] == [f"{broken.cut.day}", f"{day}"]
        done = CliRunner().invoke(main, again)
    assert done.exit_code == 1
    assert "leads.csv" in done.output and "Somebody was erased since" in done.output


def test_what_was_recorded_in_plain_is_read_masked(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, _ = a_person(ledger)
        (stored,) = ledger.recorder.select_events(lead)
        state = {**orjson.loads(stored.state), "contact": {"name": "}李", "phone": PHONE}}
        old = UUID(int=lead.int ^ 1)
        plain = StoredEvent(old, 1, stored.topic, orjson.dumps(state))
        ledger.recorder.insert_events([plain])
        assert contact_of(ledger, old) == {"name": "}**", "phone": "139****4321"}
        (step,) = ledger.personal.steps(ledger.reads.history(old))
        assert step["facts"]["contact"] == {"name": "}**", "phone": "139****4321"}
        folder = exported(ledger).folder
        assert found(folder, PHONE) == []
        assert [one["联系电话"] for one in rows(folder / "leads.csv")] == ["139****4321"] * 2
        with acting(somebody()):
            facts = {"contact": {"name": "}李", "phone": PHONE}}
            ledger.revise(old, call(), {"facts": facts, "occurred_on": "2025-04-01"})
        # From then on it is sealed.
        assert PHONE.encode() not in ledger.recorder.select_events(old)[1].state


def test_a_ledger_of_the_national_algorithms_reads_what_was_sealed_before(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead, _ = a_person(ledger)
        settings = replace(ledger.settings, cipher="SM4GCM")
    ledger = Ledger(settings)
    ledger.create_tables()
    later = tip(ledger, register(ledger, "2").subject, contact=CONTACT)
    assert later.body["contact"]["phone"] == contact_of(ledger, lead)["phone"] == "139****4321"
    assert b'"alg":"SM4GCM"' in ledger.reads.lead(later.subject).body
    ledger.close()
