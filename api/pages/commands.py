"""What may be done to a lead, as forms: one table over the API's commands, their schemas, and the
domain's own tables of when something happens."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.auth import MAY, scope
from api.leads import COMMANDS, Carry
from api.pages.look import told_later as _
from api.pages.words import name_of, value_of
from api.schemas import Command
from domain.correction import HAPPENS
from domain.errors import NotFound
from domain.stage import CLOSURE_OUTCOMES, LANDED, OUTCOMES, STEPS, VERDICT_OUTCOME
from service.tokens import Holder

Lead = Mapping[str, Any]
Choices = Mapping[str, Sequence[tuple[str, str]]]


def _always(_lead: Lead) -> bool:
    return True


@dataclass(frozen=True)
class Form:
    """One command as a form: ``command`` of the API, the ``event`` that it records, the fields in
    the order in which they are asked, what it says by itself (``fixed``), and, where the tables do
    not tell, when else it may be done."""

    name: str
    label: str
    command: str
    event: str
    asks: Sequence[str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    when: Callable[[Lead], bool] = _always
    kind: str = "more"
    danger: bool = False

    @property
    def schema(self) -> Command:
        """The API's schema of it."""
        return COMMANDS[self.command][0]

    @property
    def carry(self) -> Carry:
        """What carries it out."""
        return COMMANDS[self.command][1]

    @property
    def needed(self) -> frozenset[str]:
        """The facts that the stage table asks for."""
        step = STEPS.get(self.name)
        return frozenset(step.facts) if step else frozenset()

    def allowed(self, lead: Lead) -> bool:
        """Whether a lead that stands so takes it."""
        happens = HAPPENS[self.event]
        if lead["stage"] not in happens.stages:
            return False
        if happens.on_hold is not None and happens.on_hold != lead["suspended"]:
            return False
        return self.when(lead)


def _outcomes(lead: Lead) -> list[str]:
    return [one for one in CLOSURE_OUTCOMES if lead["stage"] in OUTCOMES[one][1]]


def _unrecognised(lead: Lead) -> list[str]:
    return [one for one in LANDED if lead["dates"][one] and not lead["recognised"][one]]


def _unscreened(lead: Lead) -> bool:
    return lead["screened"] is None


def _settled(lead: Lead) -> bool:
    return lead["transfer_to"] is None


def _proposed(lead: Lead) -> bool:
    """A transfer is proposed, and the answer is for who looks."""
    to, seen = lead["transfer_to"], scope().district
    return to is not None and to.startswith(seen or "")


_NOTE, _DAY = ("note",), ("occurred_on",)
_SIGNS = (*_DAY, "number", "investment", "document_sha256", *_NOTE)

# In the order in which they are offered. ``kind``: a step of the stage table, what happens in a
# stage, or more; ``danger``: it ends something.
FORMS: Sequence[Form] = (
    Form(
        "screening",
        _("研判"),
        "screening",
        "lead.screened",
        (*_DAY, "verdict", "duplicate_of", "reason", *_NOTE),
        when=_unscreened,
        kind="step",
    ),
    Form(
        "negotiation",
        _("开始洽谈"),
        "negotiation",
        "lead.negotiation_opened",
        (*_DAY, "responsible_unit", "manager", *_NOTE),
        kind="step",
    ),
    Form(
        "signing",
        _("签约"),
        "signing",
        "lead.signed",
        _SIGNS,
        {"agreement": "contract"},
        kind="step",
    ),
    Form(
        "groundbreaking",
        _("开工"),
        "groundbreaking",
        "lead.groundbroken",
        (*_DAY, "start", "evidence", *_NOTE),
        kind="step",
    ),
    Form(
        "follow-up",
        _("跟进记录"),
        "follow-ups",
        "lead.followed_up",
        (*_DAY, "form", "result", "reason", "next_on", *_NOTE),
        kind="often",
    ),
    Form("notice", _("告知委员"), "notice", "lead.members_told", (*_DAY, *_NOTE), kind="often"),
    Form(
        "signing-plan",
        _("即将签约"),
        "signing-plan",
        "lead.signing_planned",
        (*_DAY, "expected_on", *_NOTE),
        kind="often",
    ),
    Form(
        "framework",
        _("签订框架协议"),
        "signing",
        "lead.framework_agreed",
        _SIGNS,
        {"agreement": "framework"},
        kind="often",
    ),
    Form(
        "recognition",
        _("上级认定"),
        "recognition",
        "lead.recognised",
        (*_DAY, "stage", "authority", *_NOTE),
        when=lambda lead: bool(_unrecognised(lead)),
        kind="often",
    ),
    Form(
        "transfer-acceptance",
        _("接收流转"),
        "transfer/acceptance",
        "lead.transferred",
        (*_DAY, *_NOTE),
        when=_proposed,
        kind="often",
    ),
    Form(
        "transfer-refusal",
        _("退回流转"),
        "transfer/refusal",
        "lead.transfer_refused",
        (*_DAY, "reason", *_NOTE),
        when=_proposed,
        kind="often",
    ),
    Form(
        "resumption",
        _("恢复"),
        "resumption",
        "lead.resumed",
        (*_DAY, "reason", *_NOTE),
        kind="often",
    ),
    Form(
        "reopening",
        _("重启"),
        "reopening",
        "lead.reopened",
        (*_DAY, "reason", *_NOTE),
        kind="often",
    ),
    Form(
        "revision",
        _("变更项目信息"),
        "revision",
        "lead.revised",
        (
            *_DAY,
            "title",
            "summary",
            "investor",
            "industry",
            "investment",
            "contact",
            "reason",
            *_NOTE,
        ),
    ),
    Form(
        "credit",
        _("裁定首报功劳"),
        "credit",
        "lead.credit_ruled",
        (*_DAY, "shares", "reason", *_NOTE),
        when=lambda lead: lead["duplicate_of"] is None,
    ),
    Form(
        "transfer",
        _("提出流转"),
        "transfer",
        "lead.transfer_proposed",
        (*_DAY, "district", "reason", *_NOTE),
        when=_settled,
    ),
    Form(
        "suspension",
        _("暂缓"),
        "suspension",
        "lead.suspended",
        (*_DAY, "reason", "review_on", *_NOTE),
    ),
    Form(
        "closure",
        _("终止"),
        "closure",
        "lead.closed",
        (*_DAY, "outcome", "lost_to", "reason", *_NOTE),
        when=lambda lead: bool(_outcomes(lead)),
        danger=True,
    ),
)
# Begun from the event that is put right, wherever the lead stands.
CORRECTION = Form(
    "correction",
    _("更正"),
    "corrections",
    "",
    ("version", "facts", "void", "reason", *_DAY, *_NOTE),
    danger=True,
)
_BY_NAME = {form.name: form for form in (*FORMS, CORRECTION)}


def form_named(name: str) -> Form:
    """The form of that name; NotFound."""
    if name not in _BY_NAME:
        raise NotFound("Nothing called '{name}' is done to a lead.", name=name[:40])
    return _BY_NAME[name]


def offered(lead: Lead, who: Holder | None, forms: Sequence[Form] = FORMS) -> Iterator[Form]:
    """What of the ``forms`` may be done to the lead as it stands, by whoever looks at it."""
    if who is None or who.role not in MAY["write leads"].roles:
        return
    here = lead["district"].startswith(who.district or "")
    for form in forms:
        answers = form.event in ("lead.transferred", "lead.transfer_refused")
        if (here or answers) and form.allowed(lead):
            yield form


def choices(form: Form, lead: Lead) -> Choices:
    """The values that may be chosen of this lead, where the schema has more of them."""
    told: dict[str, list[str]] = {}
    if form.name == "closure":
        told["outcome"] = _outcomes(lead)
    elif form.name == "recognition":
        told["stage"] = _unrecognised(lead)
    elif form.name == "screening" and lead["stage"] != "tip":
        told["verdict"] = list(VERDICT_OUTCOME)
    return {
        name: tuple((one, value_of(name, one)) for one in found) for name, found in told.items()
    }


def waivable(form: Form) -> list[tuple[str, str]]:
    """The facts of the form's step that an administrator may do without."""
    facts = STEPS[form.name].facts if form.name in STEPS else ()
    return [(fact, name_of(fact)) for fact in facts if fact in form.asks]
