"""Schemathesis against the served document, as each role: what a role may not do is refused,
whatever else is wrong with the request, and what it may do is answered as the document says."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from schemathesis import Case, HookContext, Response, engine, hooks
from schemathesis.engine import events

from api.auth import MAY
from tests.api.office import open_office, settings_in
from tests.api.test_conformance import Aim, Run, note
from tests.api.test_roles import ACTIONS

EXAMPLES = 1


class AsRole(NamedTuple):
    """What schemathesis found as one role; the statuses of what it may and may not do."""

    run: Run
    role: str
    may: Counter[int]
    may_not: Counter[int]


@pytest.fixture(scope="module", params=["member", "officer", "auditor", "admin"])
def found(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsRole]:
    """Schemathesis, run as a role."""
    role: str = request.param
    office = open_office(settings_in(Path(tmp_path_factory.mktemp(role))))
    aim = Aim(office)
    caller = office.one(role, aim.member if role == "member" else None)
    found = AsRole(Run(aim, [], Counter(), Counter()), role, Counter(), Counter())
    schema = schemathesis.openapi.from_wsgi(
        "/openapi.json", office.app, config=config_for(f"{caller.token}")
    )

    @schemathesis.hook
    def before_call(context: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
        aim.before(case)

    @schemathesis.hook
    def after_call(context: HookContext, case: "Case[Any]", response: Response) -> None:
        action = ACTIONS.get((case.method, case.operation.path))
        if action is not None:
            counted = found.may if role in MAY[action].roles else found.may_not
            counted[response.status_code] += 1

    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            note(found.run, event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.run.failures.append(f"{event}")
    hooks.unregister(before_call)
    hooks.unregister(after_call)
    yield found
    office.close()


def config_for(token: str) -> schemathesis.Config:
    """Made-up requests alone, few of each operation; what is allowed may be refused to a role."""
    return schemathesis.Config.from_dict(
        {
            "seed": 2,
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True},
            "analysis": {"constants": {"enabled": False}},
            "checks": {
                "positive_data_acceptance": {"enabled": False},
                "negative_data_rejection": {"enabled": False},
                "ignored_auth": {"enabled": False},
            },
            "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": False}},
        }
    )


def test_every_answer_is_one_that_the_document_describes(found: AsRole) -> None:
    apart = sorted(set(found.run.failures))
    assert not apart, f"{len(apart)} failures\n" + "\n\n".join(apart[:10])
    assert found.run.checks["not_a_server_error"] > 50


def test_what_the_role_may_not_do_is_forbidden_whatever_the_request_says(found: AsRole) -> None:
    assert set(found.may_not) <= {403}, found.may_not
    # A member may do what it may with its own only.
    assert found.role == "member" or 403 not in found.may, found.may
    assert found.may[200] + found.may[201] >= 10, found.may
