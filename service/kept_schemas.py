"""The tables beside the log in PostgreSQL that no log can give again, step by step (see
`migrating.py`): tokens, sessions, checkpoints and alarms, uses of tokens, access records, keys.

What they are now stands in the modules that use them; a test holds these steps against that. A step
is never changed once released. The first take over what was made before there were steps.
"""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from service.migrating import Migration


class Kept(NamedTuple):
    """Tables that change together: by what name their steps are noted, and the steps."""

    name: str
    steps: tuple[Migration, ...]


def _texts(names: str, more: str = "") -> str:
    return ", ".join(f'{name} text COLLATE "C"{more}' for name in names.split())


def _needed(names: str) -> str:
    return _texts(names, " NOT NULL")


_TOKENS = f"""
CREATE TABLE IF NOT EXISTS ledger.tokens (
    {_needed("id digest role name")}, {_texts("member_id")}, {_needed("issued_at")},
    {_texts("expires_at revoked_at district")}, PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS ledger.token_requests (
    {_needed("claim digest token_id requested_at")}, PRIMARY KEY (claim)
);
"""
_SESSIONS = f"""
CREATE TABLE IF NOT EXISTS ledger.sessions (
    {_needed("id digest seal")}, {_texts("token_id")}, {_needed("holder role name")},
    {_texts("member_id district")}, {_needed("begun_at ends_at")}, PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS ix_sessions_ends_at ON ledger.sessions (ends_at);
"""
_CHECKPOINTS = f"""
CREATE TABLE IF NOT EXISTS ledger.checkpoints (
    id bigserial NOT NULL, size bigint NOT NULL, {_needed("note made_at")}, {_texts("sent_at")},
    PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS ledger.checkpoint_keys (
    {_needed("key since")}, PRIMARY KEY (key)
);
CREATE TABLE IF NOT EXISTS ledger.alarms (
    id bigserial NOT NULL, {_needed("raised_at detail")},
    {_texts("ruled_at ruled_by reason resumed_at")}, PRIMARY KEY (id)
);
"""
_USES = f"""
CREATE TABLE IF NOT EXISTS ledger.token_uses ({_needed("id used_at")}, PRIMARY KEY (id));
"""
_ACCESS = f"""
CREATE TABLE IF NOT EXISTS ledger_access.access (
    id bigserial NOT NULL, {_needed("at kind outcome action")},
    {_texts("holder name origin request subject reason")}, count integer, {_texts("until")},
    {_needed("digest")}, PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS ix_access_at ON ledger_access.access (at);
"""
_KEYS = f"""
CREATE TABLE IF NOT EXISTS ledger_keys.keys (
    {_needed("id")}, {_texts("person")}, {_needed("made_at master alg")}, wrapped bytea NOT NULL,
    PRIMARY KEY (id), UNIQUE (person)
);
CREATE INDEX IF NOT EXISTS ix_keys_master ON ledger_keys.keys (master);
"""
# By one of the tables.
STEPS: Mapping[str, tuple[Migration, ...]] = {
    "tokens": (Migration("tokens, and what was answered to who asked for one", _TOKENS),),
    "sessions": (Migration("sign-ins to the pages", _SESSIONS),),
    "checkpoints": (Migration("checkpoints, keys that signed them, alarms", _CHECKPOINTS),),
    "token_uses": (Migration("when tokens were last used", _USES),),
    "access": (Migration("the access record", _ACCESS),),
    "keys": (Migration("the keys of personal data", _KEYS),),
}


def kept_of(tables: sa.MetaData) -> Kept:
    """The steps of these tables."""
    (name,) = STEPS.keys() & tables.tables.keys()
    return Kept(name, STEPS[name])
