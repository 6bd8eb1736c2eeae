"""What clients send, field by field. The rules of the values are the domain's."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, validates_schema

from api.checks import Length, OneOf, Range
from domain.credit import MOST_PARTS, SHARE_SHAPE, share_fault
from domain.errors import Invalid, none_such
from domain.lead import AUTHORITY_LENGTH, MOST_MEMBERS, TITLE_LENGTH
from domain.money import UNITS, parse_money
from domain.posting import OCCURRED, RECOGNISED
from domain.sentences import Sentence
from domain.stage import (
    AGREEMENTS,
    CLOSURE_OUTCOMES,
    EVIDENCE_KINDS,
    FOLLOW_UP_FORMS,
    LANDED,
    STAGES,
    STARTS,
    STEPS,
    VERDICTS,
)
from domain.values import (
    COUNTRY_SHAPE,
    DISTRICT_SHAPE,
    INDUSTRY_SHAPE,
    LINE_SHAPE,
    LONG_TEXT,
    NOTE,
    PHONE_SHAPE,
    PREFIX_SHAPE,
    TEXT_SHAPE,
    country_fault,
    district_fault,
    district_prefix_fault,
    industry_fault,
    parse_day,
    phone_fault,
    text_fault,
)
from service.access.record import KINDS
from service.projections.clocks import RULES as DUE_RULES
from service.projections.groups import BY as GROUPED_BY
from service.projections.sharings import BY
from service.uscc import uscc_fault

_DIGITS = re.compile(r"[0-9]{1,18}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DISTRICT = {"pattern": DISTRICT_SHAPE, "example": "320812"}
_PREFIX = {"pattern": PREFIX_SHAPE, "example": "3208"}
_INDUSTRY = {"pattern": INDUSTRY_SHAPE, "example": "C397"}
_USCC = {"pattern": r"^[0-9A-HJ-NPQRTUWXY]{18}$", "example": "91110000600037341L"}
_COUNTRY = {"pattern": COUNTRY_SHAPE, "example": "CN"}
_PHONE = {"pattern": PHONE_SHAPE, "example": "0517-83590000"}
_HASH = {"pattern": r"^[0-9a-f]{64}$"}

OPTIONAL: dict[str, Any] = {"load_default": None, "allow_none": True}


class Text(fields.String):
    """A text without spaces around it; ``lines`` allows line breaks."""

    def __init__(self, longest: int, *, lines: bool = False, **more: Any) -> None:
        shape = TEXT_SHAPE if lines else LINE_SHAPE
        about = {"minLength": 1, "maxLength": longest, "pattern": shape}
        super().__init__(metadata=about, **more)
        self._longest = longest
        self._lines = lines

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> str:
        return self.checked(super()._deserialize(value, attr, data, **more))

    def checked(self, text: str) -> str:
        """``text`` without the spaces around it; ValidationError when it cannot be kept."""
        fault = text_fault(text, self._longest, lines=self._lines)
        if fault:
            raise ValidationError(fault)
        return text.strip()


class Coded(fields.String):
    """A text that ``fault`` finds nothing wrong with; ``shape`` describes it in JSON Schema."""

    def __init__(
        self, fault: Callable[[str], str | None], shape: Mapping[str, str], **more: Any
    ) -> None:
        super().__init__(metadata=shape, **more)
        self._fault = fault

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> str:
        return self.checked(super()._deserialize(value, attr, data, **more))

    def checked(self, text: str) -> str:
        """``text``; ValidationError when it has a fault."""
        fault = self._fault(text)
        if fault:
            raise ValidationError(fault)
        return text


def _day_fault(text: str) -> str | None:
    try:
        parse_day("day", text)
    except Invalid as why:
        return why.errors["day"][0]
    return None


def _uuid_fault(text: str) -> str | None:
    return (
        None
        if is_id(text)
        else Sentence("'{text}' is no id (a UUID in lower case).", text=text[:40])
    )


class Day(Coded):
    """A business date; ``about`` describes it."""

    def __init__(self, about: str | None = None, **more: Any) -> None:
        described = {"format": "date", "example": "2025-03-18"}
        if about:
            described["description"] = about
        super().__init__(_day_fault, described, **more)


class Id(Coded):
    """The id of a lead or member."""

    def __init__(self, **more: Any) -> None:
        super().__init__(_uuid_fault, {"format": "uuid", "pattern": f"^{_UUID.pattern}$"}, **more)


def District(**more: Any) -> Coded:  # noqa: N802 - it is used as a field class
    """A GB/T 2260 code of six digits."""
    return Coded(district_fault, _DISTRICT, **more)


def DistrictPrefix(**more: Any) -> Coded:  # noqa: N802 - it is used as a field class
    """A province, a city or a district: two, four or six digits."""
    return Coded(district_prefix_fault, _PREFIX, **more)


class Several(fields.List[Any]):
    """A list, of which nothing is looked at before it is known to have as many as it may."""

    def few(self, values: list[Any]) -> list[Any]:
        """The same; ValidationError for too many or too few."""
        for check in self.validators:
            check(values)
        return values

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        counted = self.few(value) if isinstance(value, list) else value
        return super()._deserialize(counted, attr, data, **kwargs)


def MembersIn(**more: Any) -> Several:  # noqa: N802 - it is used as a field class
    """The members of a tip."""
    return Several(
        Id(),
        validate=Length(1, MOST_MEMBERS),
        metadata={"uniqueItems": True, "description": "In order of first report."},
        **more,
    )


def _hash_fault(text: str) -> str | None:
    exact = re.fullmatch(r"[0-9a-f]{64}", text)
    return None if exact else Sentence("It is no SHA-256 in 64 lower-case hexadecimal digits.")


class Version(fields.Integer):
    """A version, as a JSON number."""

    def __init__(self, **more: Any) -> None:
        super().__init__(strict=True, validate=Range(1, 10**9), **more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        if type(value) is not int:
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **more)


class TrueOrFalse(fields.Boolean):
    """A JSON boolean, and nothing that looks like one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **more)


class Request(Schema):
    """A body; a field that is not listed is refused by name."""

    class Meta:
        """Unknown fields are errors."""

        unknown = RAISE


class MoneyIn(Request):
    """An amount as stated."""

    amount = fields.String(
        required=True,
        metadata={"pattern": r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,16})?$", "example": "30"},
    )
    unit = fields.String(required=True, validate=OneOf(list(UNITS)))

    @validates_schema
    def _money(self, data: Mapping[str, str], **_: Any) -> None:
        try:
            parse_money("investment", data["amount"], data["unit"])
        except Invalid as why:
            field, reasons = next(iter(why.errors.items()))
            raise ValidationError(reasons, field.rpartition(".")[2]) from None


class InvestorIn(Request):
    """The company that might invest."""

    name = Text(200, required=True)
    uscc = Coded(uscc_fault, _USCC, **OPTIONAL)
    country = Coded(country_fault, _COUNTRY, **OPTIONAL)


class ContactIn(Request):
    """Whom to call."""

    name = Text(100, **OPTIONAL)
    phone = Coded(phone_fault, _PHONE, **OPTIONAL)


class MemberIn(Request):
    """A member to register."""

    number = Text(40, required=True)
    name = Text(100, required=True)
    sector = Text(100, **OPTIONAL)
    district = District(required=True)
    occurred_on = Day(load_default=None)
    note = Text(NOTE, lines=True, **OPTIONAL)


class Command(Request):
    """What every command takes."""

    occurred_on = Day(required=True)
    note = Text(NOTE, lines=True, **OPTIONAL)


class LeadIn(Command):
    """A tip."""

    title = Text(TITLE_LENGTH, required=True)
    summary = Text(LONG_TEXT, lines=True, **OPTIONAL)
    members = MembersIn(required=True)
    district = District(required=True)
    investor = fields.Nested(InvestorIn, **OPTIONAL)
    industry = Coded(industry_fault, _INDUSTRY, **OPTIONAL)
    investment = fields.Nested(MoneyIn, **OPTIONAL)
    contact = fields.Nested(ContactIn, **OPTIONAL)


class ScreeningIn(Command):
    """The verdict on a tip."""

    verdict = fields.String(required=True, validate=OneOf(list(VERDICTS)))
    reason = Text(NOTE, lines=True, **OPTIONAL)
    duplicate_of = Id(**OPTIONAL)


class WaiverIn(Request):
    """A required fact that an administrator overrides, and why."""

    fact = fields.String(
        required=True,
        validate=OneOf([fact for step in STEPS.values() for fact in step.facts]),
    )
    reason = Text(NOTE, required=True)


class Step(Command):
    """What every step forward takes."""

    waivers = Several(fields.Nested(WaiverIn), load_default=list, validate=Length(max=4))


class NegotiationIn(Step):
    """Talks begin."""

    responsible_unit = Text(100, **OPTIONAL)
    manager = Text(100, **OPTIONAL)


class FollowUpIn(Command):
    """A contact, or no progress."""

    form = fields.String(required=True, validate=OneOf(FOLLOW_UP_FORMS))
    result = Text(NOTE, lines=True, **OPTIONAL)
    reason = Text(NOTE, lines=True, **OPTIONAL)
    next_on = Day(**OPTIONAL)


class NoticeIn(Command):
    """The members who reported the lead were told what became of it."""


class SigningPlanIn(Command):
    """The day a signing is expected; null withdraws the plan."""

    expected_on = Day(required=True, allow_none=True)


class SigningIn(Step):
    """A contract, or a framework agreement."""

    agreement = fields.String(required=True, validate=OneOf(AGREEMENTS))
    number = Text(100, **OPTIONAL)
    investment = fields.Nested(MoneyIn, **OPTIONAL)
    document_sha256 = Coded(_hash_fault, _HASH, **OPTIONAL)


class EvidenceIn(Request):
    """A piece of evidence that ground was broken."""

    kind = fields.String(required=True, validate=OneOf(EVIDENCE_KINDS))
    reference = Text(200, required=True)


class GroundbreakingIn(Step):
    """Main works start."""

    start = fields.String(validate=OneOf(STARTS), **OPTIONAL)
    evidence = Several(fields.Nested(EvidenceIn), load_default=list, validate=Length(max=50))


class RecognitionIn(Command):
    """A higher office accepts a claim."""

    stage = fields.String(required=True, validate=OneOf(LANDED))
    authority = Text(AUTHORITY_LENGTH, required=True)


class SuspensionIn(Command):
    """On hold until a review."""

    reason = Text(NOTE, lines=True, required=True)
    review_on = Day(required=True)


class ResumptionIn(Command):
    """Taken up again."""

    reason = Text(NOTE, lines=True, **OPTIONAL)


class ClosureIn(Command):
    """The end, with its outcome."""

    outcome = fields.String(
        required=True,
        validate=OneOf(CLOSURE_OUTCOMES),
    )
    reason = Text(NOTE, lines=True, required=True)
    lost_to = Text(200, **OPTIONAL)


class ReopeningIn(Command):
    """Back into the stage it left."""

    reason = Text(NOTE, lines=True, required=True)


class TransferIn(Command):
    """A proposal that the lead pass to another district."""

    district = District(required=True)
    reason = Text(NOTE, lines=True, required=True)


class AcceptanceIn(Command):
    """The other district takes the lead over, from that day on."""


class RefusalIn(Command):
    """The other district does not take the lead."""

    reason = Text(NOTE, lines=True, required=True)


class RevisionIn(Command):
    """Facts that changed; what is left out stays as it was, null says: not known."""

    title = Text(TITLE_LENGTH)
    summary = Text(LONG_TEXT, lines=True, allow_none=True)
    investor = fields.Nested(InvestorIn, allow_none=True)
    industry = Coded(industry_fault, _INDUSTRY, allow_none=True)
    investment = fields.Nested(MoneyIn, allow_none=True)
    contact = fields.Nested(ContactIn, allow_none=True)
    reason = Text(NOTE, lines=True, **OPTIONAL)


class ShareIn(Request):
    """A member of the lead and its share; 0 says that it has no credit."""

    member = Id(required=True)
    share = Coded(share_fault, {"pattern": SHARE_SHAPE, "example": "1/3"}, required=True)


def SharesIn(**more: Any) -> Several:  # noqa: N802 - it is used as a field class
    """The shares of all members of a lead."""
    return Several(
        fields.Nested(ShareIn),
        validate=Length(1, MOST_PARTS),
        metadata={"description": "Every member of the lead, each once; they sum to 1."},
        **more,
    )


class CreditIn(Command):
    """Who has which share of the lead's credit."""

    shares = SharesIn(required=True)
    reason = Text(NOTE, lines=True, required=True)


class RightFacts(Request):
    """The right values: those of the event that is corrected, its day and its note."""

    occurred_on = Day()
    note = Text(NOTE, lines=True, allow_none=True)
    title = Text(TITLE_LENGTH)
    summary = Text(LONG_TEXT, lines=True, allow_none=True)
    members = MembersIn()
    district = District()
    investor = fields.Nested(InvestorIn, allow_none=True)
    industry = Coded(industry_fault, _INDUSTRY, allow_none=True)
    investment = fields.Nested(MoneyIn, allow_none=True)
    contact = fields.Nested(ContactIn, allow_none=True)
    reason = Text(NOTE, lines=True, allow_none=True)
    duplicate_of = Id(allow_none=True)
    shares = SharesIn()
    responsible_unit = Text(100, allow_none=True)
    manager = Text(100, allow_none=True)
    form = fields.String(validate=OneOf(FOLLOW_UP_FORMS))
    result = Text(NOTE, lines=True, allow_none=True)
    next_on = Day(allow_none=True)
    expected_on = Day(allow_none=True)
    number = Text(100, allow_none=True)
    document_sha256 = Coded(_hash_fault, _HASH, allow_none=True)
    start = fields.String(validate=OneOf(STARTS), allow_none=True)
    evidence = Several(fields.Nested(EvidenceIn), validate=Length(max=50))
    authority = Text(AUTHORITY_LENGTH)
    review_on = Day()
    outcome = fields.String(validate=OneOf(CLOSURE_OUTCOMES))
    lost_to = Text(200, allow_none=True)


class CorrectionIn(Command):
    """An earlier event put right, or (``void``) said never to have happened: one of the two."""

    version = Version(required=True)
    facts = fields.Nested(RightFacts)
    void = TrueOrFalse(load_default=False)
    reason = Text(NOTE, lines=True, required=True)


# Queries


class Whole(fields.Integer):
    """A whole number in plain ASCII digits."""

    def __init__(self, lowest: int, highest: int, **more: Any) -> None:
        super().__init__(validate=Range(lowest, highest), **more)
        self._lowest = lowest

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        if not _DIGITS.fullmatch(str(value)):
            raise ValidationError(
                Sentence(
                    "'{value}' is no whole number of {lowest} or more.",
                    value=str(value)[:40],
                    lowest=self._lowest,
                )
            )
        return super()._deserialize(value, attr, data, **more)


class YesNo(fields.Boolean):
    """``true`` or ``false``."""

    truthy = {"true"}  # noqa: RUF012
    falsy = {"false"}  # noqa: RUF012


class KnownAt(fields.String):
    """A moment (RFC 3339 with its zone) or a log position."""

    def __init__(self) -> None:
        about = {"description": "An RFC 3339 moment, or a log position.", "example": "57"}
        either = [{"pattern": "^[0-9]{1,18}$"}, {"format": "date-time"}]
        super().__init__(metadata={**about, "anyOf": either})


class Paged(Request):
    """A list's page."""

    limit = Whole(1, 200, load_default=50)
    cursor = fields.String(metadata={"maxLength": 500})


class MembersQuery(Paged):
    """Which members; with the tips of a ``year``, and by ``tipped`` who reported any then."""

    district = DistrictPrefix()
    sector = Text(100)
    year = Whole(1949, 9999)
    tipped = YesNo()

    @validates_schema
    def _check_year(self, data: Mapping[str, Any], **_: Any) -> None:
        if "tipped" in data and "year" not in data:
            raise ValidationError(
                {"year": [Sentence("tipped needs the year in which they did or did not.")]}
            )


class Selected(Request):
    """Which leads count."""

    district = DistrictPrefix()
    industry = Coded(industry_fault, _INDUSTRY)
    sector = Text(100)
    member = Id()
    min_cny = Whole(0, 10**13)


class WorklistQuery(Selected, Paged):
    """By which rule, of which leads, due by which day."""

    rule = fields.String(validate=OneOf([rule.name for rule in DUE_RULES]))
    due_by = Day()


class Moment(Request):
    """As of which day (nothing later counts), and as known when."""

    as_of = Day()
    known_at = KnownAt()


class LeadsQuery(Paged, Selected, Moment):
    """Which leads, in which order."""

    stage = fields.String(validate=OneOf(STAGES))
    max_cny = Whole(0, 10**13)
    about_to_sign = YesNo()
    suspended = YesNo()
    tip_from = Day(data_key="from")
    tip_to = Day(data_key="to")
    q = Text(100)
    sort = fields.String(
        load_default="recorded",
        validate=OneOf(
            [s + k for k in ("recorded", "occurred", "amount", "activity") for s in ("", "-")]
        ),
    )


class LeadQuery(Moment):
    """Which of a lead's versions; and ``contact=plain``, with a ``reason`` that is recorded, for
    the contact as it is and not masked."""

    version = Whole(1, 10**9)
    contact = fields.String(validate=OneOf(["plain"]))
    reason = Text(200)

    @validates_schema
    def _check_reason(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("contact" in data) != ("reason" in data):
            lacking = "reason" if "contact" in data else "contact"
            raise ValidationError(
                {lacking: [Sentence("contact=plain and its reason go together.")]}
            )


class ErasureIn(Request):
    """Why a person's data are erased; no personal data belong into it, for it is kept."""

    reason = Text(NOTE, lines=True, required=True)


class HistoryQuery(Request):
    """The history, as known when."""

    known_at = KnownAt()


class WindowQuery(Selected):
    """Which window of which leads."""

    start = Day(data_key="from")
    end = Day(data_key="to")


class PipelineQuery(WindowQuery, Moment):
    """The window, as known at a moment, by the days that count."""

    as_of = Day("Nothing later counts: a window that ends after it ends there.")
    by = fields.String(load_default=OCCURRED, validate=OneOf((OCCURRED, RECOGNISED)))


class SeriesQuery(PipelineQuery):
    """The window in steps."""

    step = fields.String(load_default="month", validate=OneOf(("day", "week", "month")))


class CreditQuery(Selected, Moment):
    """In which leads, as of which day, as known when; by member or by sector."""

    by = fields.String(load_default=BY[1], validate=OneOf(BY))


class GroupsQuery(Selected, Moment):
    """Which leads, as of which day, as known when; by industry or by sector."""

    by = fields.String(load_default=GROUPED_BY[0], validate=OneOf(GROUPED_BY))


class AuditEventsQuery(Paged):
    """Which part of the log."""

    after = Whole(0, 10**15)


class AccessQuery(Paged):
    """Which access records: of which kind, of which token's id, of which days in China."""

    holder = Text(40)
    kind = fields.String(validate=OneOf(list(KINDS)))
    start = Day(data_key="from")
    end = Day(data_key="to")


class ConsistencyQuery(Request):
    """From which size on."""

    old = Whole(0, 10**15, data_key="from", required=True)


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    return _UUID.fullmatch(text) is not None


def id_of(text: str, kind: str) -> UUID:
    """The id in a path; NotFound when it is none, for then nothing has it."""
    if not is_id(text):
        raise none_such(kind, text[:40])
    return UUID(text)
