"""The whole ledger on PostgreSQL: every command, what others see of it at once, and a rebuild."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.actor import acting
from service.application import Ledger
from service.settings import Settings
from tests.postgres import database_of
from tests.service.helpers import (
    a_lead,
    check_projections,
    follow,
    journeys,
    ledger_at,
    settings_in,
    somebody,
    whole_log,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a ledger on an empty database."""
    return replace(settings_in(tmp_path), postgres=database_of(tmp_path))


def test_every_command_is_recorded_and_read_as_in_a_file(settings: Settings) -> None:
    with ledger_at(settings) as ledger:
        journeys(ledger)
        check_projections(ledger)
        assert [event.id for event in whole_log(ledger)] == list(
            range(1, (ledger.recorder.max_notification_id() or 0) + 1)
        )


def test_what_one_process_records_another_reads_at_its_next_question(settings: Settings) -> None:
    with ledger_at(settings) as one, ledger_at(settings) as other:
        lead = a_lead(one)
        for version in range(2, 6):
            assert other.reads.lead(lead).version == version - 1
            assert follow(one if version % 2 else other, lead).version == version
            assert one.reads.lead(lead).version == version


def test_a_token_that_one_process_revokes_is_refused_by_another_at_its_next_request(
    settings: Settings,
) -> None:
    def holder(ledger: Ledger) -> object:
        return ledger.tokens.holder(token, ledger.reads.data_version())

    with ledger_at(settings) as one, ledger_at(settings) as other, acting(somebody()):
        token = one.tokens.issue("officer", "张")
        assert holder(one) and holder(other)
        assert holder(other) == holder(other)
        other.tokens.revoke(token.split("_")[1])
        for ledger in (one, other):
            ended = holder(ledger)
            assert ended is not None and getattr(ended, "revoked_at", None)
