"""Idempotency keys of requests that change tokens: kept with the tokens, in the same transaction.

The log has no part in tokens, so these keys claim no stream of it. And a token is told once, so
that nothing can be answered again as it was the first time.
"""

import sqlalchemy as sa

from domain.actor import now
from domain.errors import KeyReused
from service.log import moment_text
from service.requests import Call


def keys_table(metadata: sa.MetaData) -> sa.Table:
    """Which token a key's request made or ended."""
    return sa.Table(
        "token_requests",
        metadata,
        # What caller and key make together, as for requests that the log keeps.
        sa.Column("claim", sa.String(36), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("token_id", sa.String(12), nullable=False),
        sa.Column("requested_at", sa.String(32), nullable=False),
    )


def done_before(connection: sa.Connection, keys: sa.Table, call: Call | None) -> str | None:
    """The id of the token that the key's request was about; None for a new key, or none.

    KeyReused when that was another request.
    """
    if call is None or call.claim_id is None:
        return None
    wanted = sa.select(keys.c.digest, keys.c.token_id).where(keys.c.claim == str(call.claim_id))
    found = connection.execute(wanted).one_or_none()
    if found is None:
        return None
    if found.digest != call.digest:
        raise KeyReused("Idempotency-Key '{key}' came before with another request.", key=call.key)
    token_id: str = found.token_id
    return token_id


def keep(connection: sa.Connection, keys: sa.Table, call: Call | None, token_id: str) -> None:
    """The key's request was about this token."""
    if call is not None and call.claim_id is not None:
        row = {"claim": str(call.claim_id), "digest": call.digest, "token_id": token_id}
        connection.execute(sa.insert(keys), {**row, "requested_at": moment_text(now())})
