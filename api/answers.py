"""What clients get, field by field: the description that the OpenAPI document gives of it."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from domain.money import UNITS
from domain.stage import OUTCOMES, STAGES
from service.likeness import WEIGHTS
from service.projections.groups import BY as GROUPED_BY
from service.projections.sharings import BY

MAYBE: dict[str, Any] = {"required": True, "allow_none": True}
ALWAYS: dict[str, Any] = {"required": True}


def _day(**more: Any) -> fields.String:
    return fields.String(metadata={"format": "date"}, **more)


def moment(**more: Any) -> fields.String:
    """A moment, RFC 3339 in UTC."""
    return fields.String(metadata={"format": "date-time"}, **more)


class ProblemOut(Schema):
    """RFC 9457, for every refusal."""

    type = fields.String(required=True, metadata={"pattern": "^urn:leadledger:problem:"})
    title = fields.String(**ALWAYS)
    status = fields.Integer(**ALWAYS)
    detail = fields.String(**ALWAYS)
    instance = fields.String(**ALWAYS)
    errors = fields.Dict(fields.String(), fields.List(fields.String()))
    missing = fields.List(fields.String())
    marked = fields.String()
    events = fields.List(fields.Nested("EventOut"))


class MoneyOut(Schema):
    """As stated, and in 元 (null without a rate)."""

    amount = fields.String(**ALWAYS)
    unit = fields.String(required=True, validate=validate.OneOf(list(UNITS)))
    cny = fields.String(**MAYBE)


class InvestorOut(Schema):
    """The company that might invest."""

    name = fields.String(**ALWAYS)
    uscc = fields.String(**MAYBE)
    country = fields.String(**MAYBE)


class ContactOut(Schema):
    """Whom to call: masked (李**, 138****0001); 已删除 where the person was erased, 无法解密 where
    the key is not there. ``subject`` is the person, on whatever lead; a token of a member is not
    told it, and what was recorded before there were keys has none."""

    subject = fields.UUID()
    name = fields.String(**MAYBE)
    phone = fields.String(**MAYBE)


class ErasureOut(Schema):
    """Whose key was destroyed, when, by whom and why. ``exports``: the dates of the exports on the
    shelf that told of the person; the contact in them is masked. ``unmasked_exports``: when, since
    the person was known, all contacts were exported as they are, which no erasure reaches."""

    subject = fields.UUID(**ALWAYS)
    erased_at = moment(**ALWAYS)
    actor = fields.String(**ALWAYS)
    reason = fields.String(**ALWAYS)
    exports = fields.List(_day(), **ALWAYS)
    unmasked_exports = fields.List(moment(), **ALWAYS)


class ShareOut(Schema):
    """A member of the lead and the share of its credit, a fraction like 1/2."""

    id = fields.UUID(**ALWAYS)
    name = fields.String(**ALWAYS)
    share = fields.String(required=True, metadata={"pattern": "^[0-9]+(/[0-9]+)?$"})


class DatesOut(Schema):
    """When it entered each stage."""

    tip = _day(**ALWAYS)
    negotiating = _day(**MAYBE)
    signed = _day(**MAYBE)
    groundbroken = _day(**MAYBE)
    closed = _day(**MAYBE)


class RecognisedOut(Schema):
    """When a higher office accepted it."""

    signed = _day(**MAYBE)
    groundbroken = _day(**MAYBE)


class WaiverOut(Schema):
    """A required fact that was overridden."""

    fact = fields.String(**ALWAYS)
    by = fields.String(**ALWAYS)
    why = fields.String(**ALWAYS)


class SimilarOut(Schema):
    """Another lead that this one may be the same as: how likely (0 to 1), and why."""

    id = fields.UUID(**ALWAYS)
    title = fields.String(**ALWAYS)
    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    score = fields.Float(required=True, validate=validate.Range(0, 1))
    reasons = fields.List(fields.String(validate=validate.OneOf(list(WEIGHTS))), **ALWAYS)


TransferOut = Schema.from_dict(
    {
        "from": fields.String(**ALWAYS),
        "to": fields.String(**ALWAYS),
        "on": _day(**ALWAYS),
    },
    name="TransferOut",
)


class LeadOut(Schema):
    """A lead as it stands. ``possible_duplicates`` are looked for when a tip is entered and when
    one lead is read, not by other commands nor by lists; a token of a member sees none.
    ``credit_ruled_on`` is the day of the ruling that the shares follow; without one they are equal,
    and ``credit_ruling_needed`` says that there was one, of other members.
    ``transfer_to``: the district that an open proposal would pass it to; ``transfers``: those
    that were accepted."""

    id = fields.UUID(**ALWAYS)
    version = fields.Integer(**ALWAYS)
    title = fields.String(**ALWAYS)
    summary = fields.String(**MAYBE)
    investor = fields.Nested(InvestorOut, **MAYBE)
    members = fields.List(fields.Nested(ShareOut), **ALWAYS)
    credit_ruled_on = _day(**MAYBE)
    credit_ruling_needed = fields.Boolean(**ALWAYS)
    district = fields.String(**ALWAYS)
    transfer_to = fields.String(**MAYBE)
    transfer_proposed_on = _day(**MAYBE)
    transfers = fields.List(fields.Nested(TransferOut), **ALWAYS)
    industry = fields.String(**MAYBE)
    investment = fields.Nested(MoneyOut, **MAYBE)
    contact = fields.Nested(ContactOut, **MAYBE)
    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    screened = fields.String(**MAYBE)
    responsible_unit = fields.String(**MAYBE)
    manager = fields.String(**MAYBE)
    about_to_sign = fields.Boolean(**ALWAYS)
    expected_signing_on = _day(**MAYBE)
    suspended = fields.Boolean(**ALWAYS)
    review_on = _day(**MAYBE)
    outcome = fields.String(**MAYBE)
    duplicate_of = fields.UUID(**MAYBE)
    dates = fields.Nested(DatesOut, **ALWAYS)
    recognised = fields.Nested(RecognisedOut, **ALWAYS)
    missing = fields.List(fields.String(), **ALWAYS)
    waivers = fields.List(fields.Nested(WaiverOut), **ALWAYS)
    possible_duplicates = fields.List(fields.Nested(SimilarOut), **ALWAYS)
    source = fields.Dict(fields.String(), fields.String(), **MAYBE)
    last_activity_on = _day(**ALWAYS)
    recorded_at = moment(**ALWAYS)


ChangeOut = Schema.from_dict(
    {
        "fact": fields.String(**ALWAYS),
        "from": fields.Raw(**MAYBE),
        "to": fields.Raw(**MAYBE),
    },
    name="ChangeOut",
)


class EventOut(Schema):
    """One step of a lead's history."""

    version = fields.Integer(**ALWAYS)
    position = fields.Integer(**ALWAYS)
    event = fields.String(**ALWAYS)
    occurred_on = _day(**ALWAYS)
    recorded_at = moment(**ALWAYS)
    actor = fields.String(**ALWAYS)
    facts = fields.Dict(**ALWAYS)
    corrects = fields.Integer(**MAYBE)
    corrected_by = fields.List(fields.Integer(), **ALWAYS)
    voided = fields.Boolean(**ALWAYS)
    changes = fields.List(fields.Nested(ChangeOut), **ALWAYS)


class HistoryOut(Schema):
    """What happened, oldest first."""

    items = fields.List(fields.Nested(EventOut), **ALWAYS)


class DueLeadOut(Schema):
    """The lead of which something is due."""

    id = fields.String(required=True, metadata={"format": "uuid"})
    title = fields.String(**ALWAYS)
    district = fields.String(**ALWAYS)
    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    responsible_unit = fields.String(**MAYBE)
    manager = fields.String(**MAYBE)


class DueOut(Schema):
    """What is due: since when its clock runs, the day it was due, how late it is, how often the
    signing was put off, and all of it in a sentence."""

    rule = fields.String(**ALWAYS)
    label = fields.String(**ALWAYS)
    lead = fields.Nested(DueLeadOut, **ALWAYS)
    since = _day(**ALWAYS)
    due_on = _day(**ALWAYS)
    days_overdue = fields.Integer(**ALWAYS)
    slips = fields.Integer(**ALWAYS)
    sentence = fields.String(**ALWAYS)


class WorklistOut(Schema):
    """What is due by a day, the oldest first; ``warning`` says what does not hold of it, and
    ``by_rule`` how many there are by each, whichever are asked for."""

    items = fields.List(fields.Nested(DueOut), **ALWAYS)
    next = fields.String(**MAYBE)
    due_by = _day(**ALWAYS)
    warning = fields.String(**MAYBE)
    by_rule = fields.Dict(fields.String(), fields.Integer(), **ALWAYS)


class SimilarToRowOut(SimilarOut):
    """The same for a row of an import; ``row`` where it is a row of the same file itself."""

    row = fields.String()


class SimilarRowOut(Schema):
    """A new lead of an import, the row it came from, and what it may be the same as."""

    id = fields.UUID(**ALWAYS)
    row = fields.String(**ALWAYS)
    title = fields.String(**ALWAYS)
    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    possible_duplicates = fields.List(fields.Nested(SimilarToRowOut), **ALWAYS)


class SimilarRowsOut(Schema):
    """How many new leads were compared with the ledger and the rows above, how many of them may be
    the same as another, and the likeliest of these."""

    compared = fields.Integer(**ALWAYS)
    alike = fields.Integer(**ALWAYS)
    leads = fields.List(fields.Nested(SimilarRowOut), **ALWAYS)


class ImportedOut(Schema):
    """What an import did, or would do; ``changed``: rows whose leads it changed; ``extra``: columns
    that were left out; ``similar``: new leads that may be the same as another."""

    leads = fields.Integer(**ALWAYS)
    changed = fields.Integer(**ALWAYS)
    members = fields.Integer(**ALWAYS)
    unchanged = fields.Integer(**ALWAYS)
    events = fields.Integer(**ALWAYS)
    extra = fields.List(fields.String(), **ALWAYS)
    similar = fields.Nested(SimilarRowsOut, **ALWAYS)
    dry_run = fields.Boolean(**ALWAYS)


class MemberOut(Schema):
    """A member."""

    id = fields.UUID(**ALWAYS)
    version = fields.Integer(**ALWAYS)
    number = fields.String(**ALWAYS)
    name = fields.String(**ALWAYS)
    sector = fields.String(**MAYBE)
    district = fields.String(**ALWAYS)
    registered_on = _day(**ALWAYS)
    retired_on = _day(**MAYBE)
    recorded_at = moment(**ALWAYS)


class MemberWithResultsOut(MemberOut):
    """A member and what came of the tips; ``tips_in_year`` where a list is asked for a year."""

    tips = fields.Integer(**ALWAYS)
    landed = fields.Integer(**ALWAYS)
    credit = fields.String(**ALWAYS)
    tips_in_year = fields.Integer()


class LeadsOut(Schema):
    """One page of leads."""

    items = fields.List(fields.Nested(LeadOut), **ALWAYS)
    next = fields.String(**MAYBE)


class MembersOut(Schema):
    """One page of members."""

    items = fields.List(fields.Nested(MemberWithResultsOut), **ALWAYS)
    next = fields.String(**MAYBE)


class FigureOut(Schema):
    """How many leads, and their planned amounts in 元."""

    count = fields.Integer(**ALWAYS)
    cny = fields.String(**ALWAYS)


class StageOut(Schema):
    """One stage, counted by the three rules."""

    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    label = fields.String(**ALWAYS)
    standing = fields.Nested(FigureOut, **ALWAYS)
    entered = fields.Nested(FigureOut, **ALWAYS)
    left = fields.Nested(FigureOut, **ALWAYS)
    reached = fields.Nested(FigureOut, **ALWAYS)
    outcomes = fields.Dict(fields.String(validate=validate.OneOf(list(OUTCOMES))), fields.Integer())


def _window() -> dict[str, fields.Field[Any]]:
    return {
        "from": _day(**ALWAYS),
        "to": _day(**ALWAYS),
        "known_at": fields.Integer(**MAYBE),
        "by": fields.String(**ALWAYS),
        "position": fields.Integer(**ALWAYS),
        "rule": fields.String(**ALWAYS),
    }


class PipelineOut(Schema.from_dict(_window())):  # type: ignore[misc]
    """Where every lead stands. ``received``: leads that another district passed on within the
    window; standing adds up to all tips and all of these."""

    tips = fields.Integer(**ALWAYS)
    received = fields.Integer(**ALWAYS)
    landed = fields.Nested(FigureOut, **ALWAYS)
    about_to_sign = fields.Nested(FigureOut, **ALWAYS)
    stages = fields.List(fields.Nested(StageOut), **ALWAYS)
    balanced = fields.Boolean(**ALWAYS)


class CreditLineOut(Schema):
    """A member by its id, or a sector (null: members without one), and its part, as a fraction."""

    key = fields.String(**MAYBE)
    label = fields.String(**ALWAYS)
    credit = fields.String(required=True, metadata={"pattern": "^[0-9]+(/[0-9]+)?$"})


class CreditOut(Schema):
    """Whose part of the leads is how large; ``credit`` is the sum of all lines."""

    as_of = _day(**MAYBE)
    known_at = fields.Integer(**MAYBE)
    by = fields.String(required=True, validate=validate.OneOf(BY))
    position = fields.Integer(**ALWAYS)
    credit = fields.String(required=True, metadata={"pattern": "^[0-9]+$"})
    lines = fields.List(fields.Nested(CreditLineOut), **ALWAYS)


class GroupLineOut(Schema):
    """A group's leads: of an industry's division (by the letter and two digits of GB/T 4754), or a
    sector; ``key`` is empty for the leads that have none."""

    key = fields.String(**ALWAYS)
    label = fields.String(**ALWAYS)
    count = fields.Integer(**ALWAYS)
    cny = fields.String(**ALWAYS)
    stages = fields.Dict(
        fields.String(validate=validate.OneOf(STAGES)), fields.Nested(FigureOut), **ALWAYS
    )


class GroupsOut(Schema):
    """Leads by group, the largest amount first; of several sectors a lead stands in each."""

    as_of = _day(**ALWAYS)
    known_at = fields.Integer(**MAYBE)
    by = fields.String(required=True, validate=validate.OneOf(GROUPED_BY))
    position = fields.Integer(**ALWAYS)
    lines = fields.List(fields.Nested(GroupLineOut), **ALWAYS)


Movement = Schema.from_dict(
    {
        "stage": fields.String(**ALWAYS),
        "label": fields.String(**ALWAYS),
        "opening": fields.Nested(FigureOut, **ALWAYS),
        "in": fields.Nested(FigureOut, **ALWAYS),
        "out": fields.Nested(FigureOut, **ALWAYS),
        "closing": fields.Nested(FigureOut, **ALWAYS),
    },
    name="MovementOut",
)


class MovementsOut(Schema.from_dict(_window())):  # type: ignore[misc]
    """Opening, in, out and closing of each stage."""

    stages = fields.List(fields.Nested(Movement), **ALWAYS)
    balanced = fields.Boolean(**ALWAYS)


class PointOut(Schema):
    """What stood in each stage at the end of a day."""

    on = _day(**ALWAYS)
    stages = fields.Dict(
        fields.String(validate=validate.OneOf(STAGES)), fields.Nested(FigureOut), **ALWAYS
    )


class SeriesOut(Schema.from_dict(_window())):  # type: ignore[misc]
    """Standing per stage at each step's end."""

    step = fields.String(**ALWAYS)
    points = fields.List(fields.Nested(PointOut), **ALWAYS)


class TimeOut(Schema):
    """How long leads stay in a stage (days), and the share that goes on."""

    stage = fields.String(**ALWAYS)
    label = fields.String(**ALWAYS)
    leads = fields.Integer(**ALWAYS)
    median_days = fields.Integer(**MAYBE)
    p90_days = fields.Integer(**MAYBE)
    waiting = fields.Integer(**ALWAYS)
    longest_waiting_days = fields.Integer(**MAYBE)
    conversion = fields.Float(**MAYBE)


class TimesOut(Schema.from_dict(_window())):  # type: ignore[misc]
    """Times per stage."""

    stages = fields.List(fields.Nested(TimeOut), **ALWAYS)


class LagOut(Schema):
    """How far the projections are behind the log."""

    events = fields.Integer(**ALWAYS)
    seconds = fields.Float(**ALWAYS)


class HealthOut(Schema):
    """Whether the process answers, or the ledger can be used; and what somebody should see to."""

    status = fields.String(**ALWAYS)
    lag = fields.Nested(LagOut)
    detail = fields.String()


class OpenApiOut(Schema):
    """The OpenAPI document itself."""

    class Meta:
        """What it holds is said elsewhere."""

        unknown = INCLUDE

    openapi = fields.String(**ALWAYS)
