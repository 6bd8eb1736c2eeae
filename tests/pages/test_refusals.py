"""Every refusal that a page can show is a sentence in the page's language."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from marshmallow import fields

import api
import service  # noqa: F401 - a safe SQLite first
from api.pages.refusals import WORDS, chinese, in_words
from api.schemas import Request
from domain.errors import NotReady
from domain.sentences import PLACE, Named, Sentence
from service.settings import HOME
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor

_PROOF = "keeper keys notes rounds sending verify_ledger witness".split()
# What is said to those who run the service, or to programs, and by no page; each with where.
ELSEWHERE = {
    "service/access/verifying.py": "the command line",
    "service/awaiting.py": "a header that only programs send",
    "service/backups": "the command line",
    "service/folders.py": "the start",
    "service/log_moving.py": "the command line",
    "service/log_schema.py": "the start",
    "service/logs.py": "the start",
    "service/migrating.py": "the start",
    "service/moving.py": "the command line",
    "service/personal/keys.py": "the start",
    "service/postgres.py": "the start",
    "service/projections/rebuild.py": "the command line",
    "service/projections/shares.py": "the command line",
    **dict.fromkeys(
        (f"service/proof/{name}" for name in _PROOF),
        "what an auditor is told word by word, within a sentence of the page's",
    ),
    "service/safe_sqlite.py": "the start",
    "service/settings.py": "the start",
}
# Sentences that are none of a refusal's, or are quoted in one as they are.
LOOSE = {
    "service/exports/schedule.py": "the log",
    "service/figures.py": "a fault of ours",
    "service/log.py": "an event that nobody can read: quoted",
    "service/metrics.py": "what a gauge is",
    "service/patience.py": "the status says it",
    "service/replica.py": "the log",
    "service/serving.py": "the terminal",
    "service/worker.py": "what is no request of ours",
}
# The library under the schemas says it of its own.
_OF_THE_LIBRARY = "String does not match expected pattern."
# Chinese within an English sentence: what a ledger on paper has as headings and units.
_PAPER = re.compile("历程|提供日期|亿元")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_LIKE_A_SENTENCE = re.compile(r"[^ ]+ [^ ].*\.\s*", re.DOTALL)
_NO_WORDS = re.compile(r"^(log|logging|click|warnings)\.|^re\.compile$")

Tree = tuple[str, ast.Module]


@cache
def modules() -> list[Tree]:
    """Every module of which something may come onto a page."""
    found = []
    for layer in ("domain", "service", "api"):
        for path in sorted((HOME / layer).rglob("*.py")):
            name = f"{path.relative_to(HOME)}"
            if "cli" not in path.stem.split("_") and not any(map(name.startswith, ELSEWHERE)):
                found.append((name, ast.parse(path.read_text("utf-8"))))
    return found


@cache
def errors() -> frozenset[str]:
    """The names of the ledger's errors that are told by a pattern."""
    classes = [one for _, tree in modules() for one in ast.walk(tree) if type(one) is ast.ClassDef]
    found = {"LedgerError", "Inconsistent"}
    while True:
        more = {c.name for c in classes if {ast.unparse(base) for base in c.bases} & found}
        if more <= found:
            return frozenset(found) - {"Invalid", "BadImport", "LedgerError"}
        found |= more


def pattern_of(call: ast.Call) -> ast.expr | None:
    """What a call gives as a pattern, if it is one that says something."""
    called = ast.unparse(call.func).removeprefix("tree.")
    if called == "Invalid.of":
        return call.args[1]
    return call.args[0] if call.args and called in {"Sentence", "_Pattern", *errors()} else None


def patterns() -> Iterator[tuple[str, ast.expr]]:
    """Every pattern, with its module."""
    for name, tree in modules():
        for one in ast.walk(tree):
            if isinstance(one, ast.Call) and (pattern := pattern_of(one)) is not None:
                yield name, pattern


def literal(said: ast.expr) -> str | None:
    """A text as it stands in the source; with {} for what an f-string puts in."""
    if isinstance(said, ast.JoinedStr):
        return "".join(literal(part) or "{}" for part in said.values)
    value = said.value if isinstance(said, ast.Constant) else None
    return value if isinstance(value, str) else None


def loose(tree: ast.Module) -> Iterator[str]:
    """What looks like a sentence, and is told by no pattern."""
    known: set[int] = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
            known.add(id(one.value))
        elif isinstance(one, ast.JoinedStr):
            known |= {id(part) for part in one.values}
        elif isinstance(one, ast.Call) and (
            pattern_of(one) is not None or _NO_WORDS.match(ast.unparse(one.func))
        ):
            known |= {id(inner) for inner in ast.walk(one)}
    for one in ast.walk(tree):
        if isinstance(one, ast.expr) and id(one) not in known:
            text = literal(one)
            if text and _LIKE_A_SENTENCE.fullmatch(text):
                yield text


def said_by_the_library() -> set[str]:
    """What marshmallow says of the fields of any request, of its own."""
    for module in pkgutil.walk_packages(api.__path__, "api."):
        importlib.import_module(module.name)
    found, waiting = {_OF_THE_LIBRARY}, Request.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        schema = kind()
        found |= {f"{text}" for text in schema.error_messages.values()}
        for field in schema.load_fields.values():
            inner = field.inner if isinstance(field, fields.List) else field
            for one in (field, inner):
                found |= {f"{text}" for text in one.error_messages.values()}
    return found


def test_every_refusal_has_its_chinese() -> None:
    told = {text for _, said in patterns() if (text := literal(said)) is not None}
    lacking = {text for text in told | said_by_the_library() if not chinese().get(text)}
    # What is made of places alone is made of what stands in them.
    lacking = {text for text in lacking if PLACE.sub("", text).strip()}
    assert sorted(lacking) == [], "to be added to api/texts/zh/refusals.po"


def test_no_chinese_is_of_a_refusal_that_nobody_says() -> None:
    said = {
        text
        for _, tree in modules()
        for one in ast.walk(tree)
        if isinstance(one, ast.expr) and (text := literal(one))
    }
    assert sorted(chinese().keys() - said - said_by_the_library()) == []


@pytest.mark.parametrize("layer", ["domain", "service"])
def test_no_refusal_is_told_in_another_way(layer: str) -> None:
    for name, said in patterns():
        if name.startswith(layer):
            assert not isinstance(said, ast.JoinedStr | ast.BinOp), f"{name}:{said.lineno}"
    found = {
        name: told
        for name, tree in modules()
        if name.startswith(layer)
        if (told := [text for text in loose(tree) if text not in chinese()])
    }
    assert found.keys() == {name for name in LOOSE if name.startswith(layer)}, found


def test_the_chinese_has_no_place_that_its_sentence_has_not() -> None:
    for english, text in chinese().items():
        assert set(PLACE.findall(text)) <= set(PLACE.findall(english)), text
        assert _CHINESE.search(text) or not re.search(r"\w", PLACE.sub("", text)), text


def test_an_english_sentence_has_no_chinese_but_a_papers_headings() -> None:
    for english in chinese():
        assert not _CHINESE.search(_PAPER.sub("", english)), english


def _filled(pattern: str) -> Sentence:
    """With something in each place: a word of ours where the place is for such."""
    places = {name: next(iter(WORDS.get(name, {"17": ""}))) for name in PLACE.findall(pattern)}
    return Sentence(pattern, **places)


def test_every_refusal_is_shown_in_the_pages_language(office: Office) -> None:
    with office.app.test_request_context("/", headers={"Accept-Language": "zh"}):
        for pattern in chinese():
            shown = in_words(_filled(pattern))
            assert "原因只有英文" not in shown and "{" not in shown, pattern
            codes = [next(iter(words)) for name, words in WORDS.items() if f"{{{name}}}" in pattern]
            assert not [code for code in codes if code in Seen(shown).text], shown
    with office.app.test_request_context("/", headers={"Accept-Language": "en"}):
        for pattern in chinese():
            assert not _CHINESE.search(_PAPER.sub("", in_words(_filled(pattern)))), pattern


@pytest.mark.parametrize(
    ("said", "zh", "en"),
    [
        (
            Sentence("The lead is {standing}; reopen it first.", standing=Sentence(
                "{stage} since {day}", stage=Named("closed", "终止"), day="2025-03-01")),
            "项目已于 2025-03-01 进入“终止”阶段，请先重启。",
            "The lead is closed since 2025-03-01; reopen it first.",
        ),
        (
            Sentence("{facts} is given, so nothing is waived.", facts=["start", "reason"]),
            "开工方式、理由已填写，无须豁免。",
            "Kind of start, Reason is given, so nothing is waived.",
        ),
        (
            Sentence("'{text}' is no day of the calendar, like 2025-03-18.", text="<b>&{text}"),
            "“&lt;b&gt;&amp;{text}”不是日期，应如 2025-03-18。",
            "&#39;&lt;b&gt;&amp;{text}&#39; is no day of the calendar, like 2025-03-18.",
        ),
        (
            Sentence("The database cannot be used just now: {why}.", why="disk I/O error"),
            '数据库现在不能使用：<span lang="en">disk I/O error</span>。',
            "The database cannot be used just now: disk I/O error.",
        ),
        (
            "Nobody foresaw <this>.",
            '台账没有照办，原因只有英文：<span lang="en">Nobody foresaw &lt;this&gt;.</span>',
            "Nobody foresaw &lt;this&gt;.",
        ),
    ],
)  # fmt: skip
def test_a_sentence_is_made_anew_in_either_language(
    office: Office, said: str, zh: str, en: str
) -> None:
    for language, told in (("zh", zh), ("en", en)):
        with office.app.test_request_context("/", headers={"Accept-Language": language}):
            assert in_words(said) == told


def test_what_was_not_foreseen_is_quoted_on_a_page_in_chinese(
    office: Office, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin"))

    def fails(*_: object) -> None:
        raise NotReady("The moon is in the way.")

    monkeypatch.setattr(office.ledger.reads, "pipeline", fails)
    page = visitor.see("/", 503)
    assert "暂时不可用" in page.text and "The moon is in the way." in page.text
    assert page.all("span", lang="en")


# A path → what is shown of its refusal in Chinese, and in English
REFUSED: dict[str, tuple[str, str]] = {
    "/?as_of=2025-02-30": ("“2025-02-30”不是日期", "is no day of the calendar"),
    "/?known_at=nonsense": ("既不是记录序号", "is neither a log position nor a moment"),
    "/?what=1": ("这里没有这一项", "Unknown field."),
    "/behind/nothing": ("没有名为“nothing”的数字", "There is no number called"),
    "/leads?min_cny=-1": ("不是 0 以上的整数", "is no whole number of 0 or more"),
    "/leads/00000000-0000-4000-8000-000000000000": ("没有项目 00000000", "There is no lead 0000"),
    "/worklist?due_by=2099-01-01": ("太远了", "is more than a year ahead"),
    "/exports/2025-02-30": ("日期应如 2025-12-29", "a date is like 2025-12-29"),
    "/reports/weekly?period=2025-W99&form=print": ("期次应如", "name it like"),
}  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_shows_a_refusal_in_its_language(
    office: Office, visitor: Visitor, path: str, language: str
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin"))
    answer = visitor.get(path, Accept_Language=language)
    assert answer.status_code in (404, 422), answer.text
    page = Seen(answer.text)
    assert REFUSED[path][language == "en"] in page.text
    assert not page.all("span", lang="en") and not page.all("p", lang="en")


def _given(page: Any) -> str:
    return Seen(page.text).text


def test_a_command_is_refused_in_the_pages_language(office: Office, visitor: Visitor) -> None:
    member = office.officer.register()
    lead = office.officer.tip(member["id"])
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    do = f"/leads/{lead['id']}/do/groundbreaking"
    told = {"occurred_on": lead["last_activity_on"], "start": "opening"}
    told |= {"evidence.0.kind": "permit", "evidence.0.reference": "施-1"}
    assert "洽谈" not in _given(visitor.get(do))
    shown = _given(visitor.send(do, on=do, **told))
    assert "开工只适用于“签约”阶段的项目" in shown and "进入“信息”阶段" in shown
    visitor.send("/preferences", on=do, language="en")
    shown = _given(visitor.send(do, on=do, **told))
    assert "A groundbreaking needs a lead that is signed; this one is tip since" in shown
