"""A provider of sign-ins in a process of its own (provider.py), and who believes it."""

import base64
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any
from urllib.request import Request, urlopen

from service.settings import Settings
from tests.api.office import settings_in

SECRET = secrets.token_hex()
ROLES = {"ledger-admin": "admin", "ledger-office": "officer", "ledger-audit": "auditor"}


@dataclass(frozen=True)
class Issuer:
    """The provider, as its clients see it."""

    address: str

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Any:
        """What it answers."""
        with urlopen(Request(self.address + path, data, headers)) as answer:
            return json.load(answer)

    def token(self, client: str) -> str:
        """A token for the client, by its secret."""
        known = base64.b64encode(f"{client}:{SECRET}".encode()).decode()
        asked = self.ask("/token", b"grant_type=client_credentials", Authorization=f"Basic {known}")
        found: str = asked["access_token"]
        return found


@contextmanager
def providing(**told: Any) -> Iterator[Issuer]:
    """A provider, running; ``told`` as it is told there."""
    program = Path(__file__).with_name("provider.py")
    environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"}
    with Popen(
        [sys.executable, str(program)], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps({"secret": SECRET, **told}).encode())
        process.stdin.close()
        yield Issuer(process.stdout.readline().decode().strip())
        process.kill()


def asking(folder: Path, issuer: str, **more: Any) -> Settings:
    """Settings of a ledger that believes this issuer."""
    return replace(
        settings_in(folder),
        oidc_issuer=issuer,
        oidc_audience="lead-ledger",
        oidc_roles={**ROLES, "member": "member"},
        oidc_district_claim="district",
        oidc_member_claim="member",
        **more,
    )
