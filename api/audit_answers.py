"""What auditors get, field by field."""

from marshmallow import Schema, fields, validate

from api.answers import ALWAYS, MAYBE, moment
from service.access.record import KINDS


class AuditEventOut(Schema):
    """An event as it is stored: every byte that its leaf in the tree is made of."""

    position = fields.Integer(**ALWAYS)
    originator_id = fields.String(**ALWAYS)
    version = fields.Integer(**ALWAYS)
    topic = fields.String(**ALWAYS)
    recorded_at = fields.String(**MAYBE)
    state = fields.String(**ALWAYS)
    state_base64 = fields.String()


class AuditEventsOut(Schema):
    """One page of the log."""

    items = fields.List(fields.Nested(AuditEventOut), **ALWAYS)
    next = fields.String(**MAYBE)


class AccessRecordOut(Schema):
    """What somebody did or was refused. A sum has ``count``, of so many from ``at`` to ``until``.
    ``digest`` is the SHA-256 of the digest before it and the other fields."""

    id = fields.Integer(**ALWAYS)
    at = moment(**ALWAYS)
    kind = fields.String(validate=validate.OneOf(list(KINDS)), **ALWAYS)
    outcome = fields.String(**ALWAYS)
    action = fields.String(**ALWAYS)
    holder = fields.String(**MAYBE)
    name = fields.String(**MAYBE)
    origin = fields.String(**MAYBE)
    request = fields.String(**MAYBE)
    subject = fields.String(**MAYBE)
    reason = fields.String(**MAYBE)
    count = fields.Integer(**MAYBE)
    until = moment(**MAYBE)
    digest = fields.String(**ALWAYS)


class AccessRecordsOut(Schema):
    """One page of the access records."""

    items = fields.List(fields.Nested(AccessRecordOut), **ALWAYS)
    next = fields.String(**MAYBE)


class CheckpointOut(Schema):
    """A checkpoint: ``checkpoint`` is the signed note, the rest what it says."""

    origin = fields.String(**ALWAYS)
    size = fields.Integer(**ALWAYS)
    root = fields.String(**ALWAYS)
    made_at = moment(**ALWAYS)
    checkpoint = fields.String(**ALWAYS)


class CheckpointsOut(Schema):
    """Checkpoints, the newest first."""

    items = fields.List(fields.Nested(CheckpointOut), **ALWAYS)
    next = fields.String(**MAYBE)


class VerificationOut(Schema):
    """Whether every event, hashed again, is what the checkpoints say: so many, up to a position,
    with this root, so many of which a checkpoint covers; ``detail`` says what does not hold."""

    holds = fields.Boolean(**ALWAYS)
    size = fields.Integer(**MAYBE)
    position = fields.Integer(**MAYBE)
    root = fields.String(**MAYBE)
    covered = fields.Integer(**MAYBE)
    detail = fields.String(**MAYBE)


class KeyOut(Schema):
    """A public key, as ``name+id+base64``."""

    key = fields.String(**ALWAYS)
    origin = fields.String(**ALWAYS)
    algorithm = fields.String(**ALWAYS)
    since = moment(**ALWAYS)


class KeysOut(Schema):
    """The keys, the oldest first."""

    items = fields.List(fields.Nested(KeyOut), **ALWAYS)


class AlarmOut(Schema):
    """What did not hold, and how it was ruled on (null: not yet)."""

    raised_at = moment(**ALWAYS)
    detail = fields.String(**ALWAYS)
    ruled_at = moment(**MAYBE)
    ruled_by = fields.String(**MAYBE)
    reason = fields.String(**MAYBE)
    resumed_at = moment(**MAYBE)


class AlarmsOut(Schema):
    """The alarms, the newest first."""

    items = fields.List(fields.Nested(AlarmOut), **ALWAYS)


class ProvenEventOut(AuditEventOut):
    """An event, the number of its leaf, and the path from there to the root (base64)."""

    leaf = fields.Integer(**ALWAYS)
    path = fields.List(fields.String(), **ALWAYS)


class LeadProofOut(Schema):
    """A lead's events and their proofs; whoever has the public key needs nothing else."""

    format = fields.String(**ALWAYS)
    hash = fields.String(**ALWAYS)
    signature = fields.String(**ALWAYS)
    lead = fields.UUID(**ALWAYS)
    checkpoint = fields.String(**ALWAYS)
    events = fields.List(fields.Nested(ProvenEventOut), **ALWAYS)
    not_covered_yet = fields.List(fields.Nested(AuditEventOut), **ALWAYS)


class ConsistencyOut(Schema):
    """The path (base64) that proves that the tree of ``size`` begins with that of ``from``."""

    hash = fields.String(**ALWAYS)
    size = fields.Integer(**ALWAYS)
    path = fields.List(fields.String(), **ALWAYS)
    checkpoint = fields.String(**ALWAYS)
    old = fields.Integer(data_key="from", **ALWAYS)
