"""Nothing that opens a door stands in what is published: no key, no password, no token."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from service.tokens import PATTERN, is_token

ROOT = Path(__file__).resolve().parent.parent
# All but those that call every hash a secret, of which the log, its proofs and the locks are full.
DETECTORS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]
SETTINGS = {"plugins_used": [{"name": name} for name in DETECTORS]}


def published() -> list[Path]:
    """Every file that is kept, but the hashes of packages, and what others have published."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    found = [
        ROOT / name.decode()
        for name in names.stdout.split(b"\0")
        if name and not name.endswith(b".lock") and b"/vendor/" not in name
    ]
    assert len(found) > 300
    return found


def secrets_in(files: Iterable[Path]) -> Iterator[str]:
    """Where something looks like a secret, and like which."""
    found = SecretsCollection()
    with transient_settings(SETTINGS):
        for path in files:
            found.scan_file(f"{path}")
    for name, secret in found:
        yield f"{name}:{secret.line_number} {secret.type}"


def tokens_in(files: Iterable[Path]) -> Iterator[str]:
    """Where a token of ours stands, issued or not."""
    for path in files:
        for token in re.findall(PATTERN, path.read_bytes().decode(errors="replace")):
            if is_token(token):
                yield f"{path} {token[:15]}…"


def test_nothing_published_is_a_secret() -> None:
    assert [*secrets_in(published()), *tokens_in(published())] == []


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    key = tmp_path / "key.py"
    key.write_text("KEY = '-----BEGIN " + "PRIVATE KEY-----'\n")
    assert [line.split(" ", 1)[1] for line in secrets_in([key])] == ["Private Key"]
