"""``leadledger token …``: who may ask, until when."""

from datetime import timedelta
from uuid import UUID

import click
import orjson

from domain.actor import now
from service.cli_shared import open_ledger
from service.log import moment_text
from service.tokens import MOST_DAYS, ROLES, Listed

_DAYS = click.IntRange(1, MOST_DAYS)


@click.group()
def token() -> None:
    """Bearer tokens."""


@token.command("issue")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--name", help="Whose it is; written into every event they cause.")
@click.option("--member", type=click.UUID, help="With role member: whom it tips for and reads.")
@click.option("--district", help="A prefix (32, 3208, 320812): it sees nothing outside of it.")
@click.option("--days", type=_DAYS, help="How long it is good; else until revoked.")
def issue(
    role: str, name: str | None, member: UUID | None, district: str | None, days: int | None
) -> None:
    """Issue a token and print it, once."""
    with open_ledger(making=True) as ledger:
        if member is not None:
            ledger.reads.member(member)
        member_id = str(member) if member else None
        click.echo(ledger.tokens.issue(role, name, member_id, days, district))


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(as_json: bool) -> None:
    """Every token that was ever issued, and whether it is good; of secrets none is kept."""
    with open_ledger(projections=False) as ledger:
        listed = ledger.tokens.listed()
    for one in listed:
        click.echo(orjson.dumps(one._asdict()) if as_json else "\t".join(_shown(one)))


@token.command("rotate")
@click.argument("token_id", metavar="ID")
@click.option("--overlap", type=click.IntRange(0, 720), default=0, help="Hours both are good.")
@click.option("--days", type=_DAYS, help="How long it is good; else as long as the one before.")
def rotate(token_id: str, overlap: int, days: int | None) -> None:
    """Print another token in the place of the one with this id, which ends."""
    with open_ledger(projections=False) as ledger:
        click.echo(ledger.tokens.rotate(token_id, days, timedelta(hours=overlap)))


@token.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> None:
    """End the token with this id (its second part), on every worker at its next request."""
    with open_ledger(projections=False) as ledger:
        ledger.tokens.revoke(token_id)
    click.echo(f"Token {token_id} is revoked.")


def _shown(one: Listed) -> list[str]:
    at = moment_text(now())
    state = "good"
    if one.revoked_at:
        state = f"revoked {one.revoked_at}" if one.revoked_at <= at else f"until {one.revoked_at}"
    elif one.expires_at:
        state = f"expired {one.expires_at}" if one.expires_at <= at else f"until {one.expires_at}"
    used = f"used {one.last_used_at}" if one.last_used_at else "not used"
    limit = f"member {one.member_id}" if one.member_id else f"district {one.district or '*'}"
    return [one.id, one.role, one.name, f"issued {one.issued_at}", limit, used, state]
