"""Every setting, read from the environment once, checked, and frozen."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from service.postgres import SCHEMES, Postgres
from service.projections.clocks import DAYS
from service.roles import ROLES

# What seals contacts and wraps keys; `service.personal.ciphers` has them.
CIPHERS = ("A256GCM", "SM4GCM")
# How the log is written; `service.journal` has them.
LOGS = ("text", "json", "requests")
_KEY = re.compile("[0-9a-fA-F]{64}", re.ASCII)
HOME = Path(__file__).resolve().parent.parent


Network = IPv4Network | IPv6Network


class WrongSetting(ValueError):
    """A setting cannot be used; the text is one line that names it."""


def _database(text: str) -> Postgres | Path:
    """The SQLite file, or the database on PostgreSQL."""
    if text.partition(":")[0] in SCHEMES:
        return Postgres.at(text)
    path = text.removeprefix("sqlite:///")
    if path == text or not path:
        form = "sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        raise ValueError(f"'{text}' is not of the form {form}")
    if path.startswith(("file:", ":memory:")):
        raise ValueError(f"'{text}' names no file; a ledger is never kept in memory")
    file = Path(path)
    return file / "ledger.sqlite" if path.endswith("/") or file.is_dir() else file


def _replica(text: str) -> Postgres | None:
    """A standby of the database."""
    if text and text.partition(":")[0] not in SCHEMES:
        raise ValueError("it is no address like postgresql://USER@HOST:5432/DATABASE")
    return Postgres.standby_at(text) if text else None


def _files(text: str) -> Path | None:
    """What the names of a ledger's files on this machine begin with."""
    file = Path(text)
    return (file / "ledger" if text.endswith("/") or file.is_dir() else file) if text else None


def _on_or_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError(f"'{text}' is neither on nor off")
    return text == "on"


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise ValueError(f"'{text}' is no whole number from {lowest} to {highest}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 600:
        raise ValueError(f"'{text}' is no number of seconds over 0 and up to 600")
    return seconds


def _folder(text: str) -> Path | None:
    return Path(text) if text else None


def _time_of_day(text: str) -> time | None:
    if text == "off":
        return None
    try:
        found = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"'{text}' is no time of the day, like 02:00, nor 'off'") from None
    return found


def _log(text: str) -> str:
    if text not in LOGS:
        raise ValueError(f"'{text}' is none of {', '.join(LOGS)}")
    return text


def _traces_to(text: str) -> str | None:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise ValueError(f"'{text}' is no http:// or https:// address of a collector")
    return text or None


def _send_to(text: str) -> str | None:
    """A folder's path, or an HTTP address as it is; None for nowhere."""
    if not text or text.startswith(("http://", "https://")):
        return text or None
    if "://" in text:
        raise ValueError(f"'{text}' is neither a folder nor an http:// or https:// address")
    return text


def secret_keys(text: str) -> tuple[bytes, ...]:
    """Master keys, each in hexadecimal, with commas between; ValueError tells none of them."""
    keys = [part.strip() for part in text.split(",")] if text else []
    if not all(_KEY.fullmatch(key) for key in keys) or len(set(keys)) < len(keys):
        raise ValueError(
            "a key has 64 hexadecimal digits, as 'openssl rand -hex 32' prints them; several stand "
            "with commas between, none of them twice"
        )
    return tuple(map(bytes.fromhex, keys))


def _cipher(text: str) -> str:
    if text not in CIPHERS:
        raise ValueError(f"'{text}' is none of {', '.join(CIPHERS)}")
    return text


def _due_days(text: str) -> Mapping[str, int]:
    found = dict(DAYS)
    for part in text.split(","):
        name, _, days = part.strip().partition("=")
        if name not in found:
            raise ValueError(f"'{part}' is not one of {', '.join(found)} with its days: tell=7")
        found[name] = _whole(0, 3650)(days)
    return found


def _issuer(text: str) -> str | None:
    if not text:
        return None
    parts = urlsplit(text)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ValueError(f"'{text}' is no https:// address of a provider")
    if parts.username or parts.query or parts.fragment or not parts.hostname:
        raise ValueError(f"'{text}' is not an issuer like https://sso.example/realms/office")
    return text


def _roles(text: str) -> Mapping[str, str]:
    """The provider's value → our role, in order of preference."""
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        value, _, role = part.rpartition("=")
        if role not in ROLES or not value:
            raise ValueError(f"'{part}' is not of the form value={'|'.join(ROLES)}")
        found[value] = role
    return found


def _networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, between commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"'{text}' is no list like 127.0.0.1,10.0.0.0/8,fd00::/8") from None


def _address(text: str) -> str:
    if not text or any(c.isspace() or c == "/" for c in text):
        raise ValueError(f"'{text}' is no address to listen on, like 127.0.0.1")
    return text


def _names(text: str) -> frozenset[str]:
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in names:
        if any(c.isspace() or c in "/@" for c in name) or name.rpartition(":")[2].isdigit():
            raise ValueError(f"'{name}' is no name of a host without port, like ledger.example.cn")
    return frozenset(names)


class Setting(NamedTuple):
    """One line of the table: the variable, its default, how it is read, what it means."""

    variable: str
    default: str
    read: Callable[[str], Any]
    meaning: str


# Field of Settings → where it comes from. The README's table is made from this one.
TABLE: Mapping[str, Setting] = {
    "postgres": Setting(
        "LEDGER_DATABASE",
        f"sqlite:///{HOME / 'var'}/",
        _database,
        "where the ledger is: `sqlite:///PATH`, a file, or a folder to hold `ledger.sqlite`; or "
        "`postgresql://USER@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full`, of one or several "
        "servers, with libpq's parameters",
    ),
    "password_file": Setting(
        "LEDGER_DATABASE_PASSWORD_FILE",
        "",
        _folder,
        "the file that has the password for PostgreSQL, and nothing else, read for each new "
        "connection; libpq's `passfile` does as well",
    ),
    "database": Setting(
        "LEDGER_FILES",
        "",
        _files,
        "with PostgreSQL: what the names of the files begin with that stay on this machine "
        "(exports, the keeper's folder, the master key's file, marked copies), or a folder to hold "
        "them; by default `./var/ledger`",
    ),
    "replica": Setting(
        "LEDGER_REPLICA",
        "",
        _replica,
        "with PostgreSQL: the address of a streaming standby of the same database, or of several, "
        "which answers reads; the password file is for it as well",
    ),
    "bind": Setting("LEDGER_BIND", "127.0.0.1", _address, "the address to listen on"),
    "port": Setting("PORT", "8000", _whole(1, 65535), "the port to listen on"),
    "workers": Setting(
        "LEDGER_WORKERS",
        str(max(2, os.cpu_count() or 2)),
        _whole(1, 64),
        "how many processes answer requests",
    ),
    "lock_timeout": Setting(
        "LEDGER_LOCK_TIMEOUT",
        "5",
        _seconds,
        "how many seconds a request waits for its turn to write before it answers 503",
    ),
    "keeps": Setting(
        "LEDGER_KEEPER",
        "on",
        _on_or_off,
        "whether `leadledger serve` runs the keeper as well: `off` on all machines of a ledger but "
        "one, for two would sign with two keys",
    ),
    "keeper_dir": Setting(
        "LEDGER_KEEPER_DIR",
        "",
        _folder,
        "the folder of the keeper's private keys and its record of what it signed, which nothing "
        "else reads; by default beside the ledger, better on another disk",
    ),
    "checkpoint_every": Setting(
        "LEDGER_CHECKPOINT_EVERY",
        "600",
        _whole(1, 86400),
        "after how many seconds the keeper signs a checkpoint, if the log grew",
    ),
    "checkpoint_to": Setting(
        "LEDGER_CHECKPOINT_TO",
        "",
        _send_to,
        "where each checkpoint is sent as well: a folder, or an `http(s)://` address to POST it to",
    ),
    "due_days": Setting(
        "LEDGER_DUE_DAYS",
        ",".join(f"{name}={days}" for name, days in DAYS.items()),
        _due_days,
        "after how many days the worklist calls something due; rules that are not named keep "
        "their number",
    ),
    "export_dir": Setting(
        "LEDGER_EXPORT_DIR",
        "",
        _folder,
        "the folder that holds an export of each date; by default beside the ledger",
    ),
    "export_at": Setting(
        "LEDGER_EXPORT_AT",
        "02:00",
        _time_of_day,
        "when, on China's clocks, the keeper exports the day that is over, with what was recorded "
        "by then; `off` for never",
    ),
    "trusted_proxies": Setting(
        "LEDGER_TRUSTED_PROXIES",
        "",
        _networks,
        "the addresses and networks of our own proxies, between commas: what they say in "
        "`X-Forwarded-For` is believed, and nobody else",
    ),
    "failures_a_minute": Setting(
        "LEDGER_FAILURES_A_MINUTE",
        "10",
        _whole(0, 100_000),
        "how many requests without a good token an address, and a token's id, has a minute before "
        "it is answered 429; 0 for any number",
    ),
    "requests_a_minute": Setting(
        "LEDGER_REQUESTS_A_MINUTE",
        "0",
        _whole(0, 10_000_000),
        "how many requests a token has a minute; 0 for any number",
    ),
    "patience": Setting(
        "LEDGER_PATIENCE",
        "20",
        _seconds,
        "how many seconds a client may be silent in the midst of a request, or leave the next "
        "64 KiB of an answer unread, before its connection ends",
    ),
    "oidc_issuer": Setting(
        "LEDGER_OIDC_ISSUER",
        "",
        _issuer,
        "the OpenID Connect provider whose signed access tokens (JWT) are taken as well as our own",
    ),
    "oidc_audience": Setting(
        "LEDGER_OIDC_AUDIENCE", "", str, "what these tokens name as their audience (`aud`): us"
    ),
    "oidc_roles": Setting(
        "LEDGER_OIDC_ROLES",
        "",
        _roles,
        "what in the role claim makes which role, the first that fits: "
        "`ledger-admin=admin,ledger-office=officer`",
    ),
    "oidc_role_claim": Setting(
        "LEDGER_OIDC_ROLE_CLAIM", "roles", str, "the role claim, like `realm_access.roles`"
    ),
    "oidc_district_claim": Setting(
        "LEDGER_OIDC_DISTRICT_CLAIM",
        "",
        str,
        "the claim that limits to a district by its prefix, `*` being all; with it a token "
        "without one is refused",
    ),
    "oidc_member_claim": Setting(
        "LEDGER_OIDC_MEMBER_CLAIM",
        "",
        str,
        "the claim that has the member's id, for tokens of role member, which are refused "
        "without one",
    ),
    "oidc_client": Setting(
        "LEDGER_OIDC_CLIENT",
        "",
        str,
        "the client that the provider knows us by: with it people sign in to the pages there",
    ),
    "oidc_client_secret": Setting(
        "LEDGER_OIDC_CLIENT_SECRET",
        "",
        str,
        "the client's secret; without it we are a public client, which PKCE alone protects",
    ),
    "oidc_scope": Setting(
        "LEDGER_OIDC_SCOPE",
        "openid profile",
        str,
        "the scopes asked for at a sign-in; the access token that they give must be one for us",
    ),
    "session_idle": Setting(
        "LEDGER_SESSION_IDLE",
        "60",
        _whole(1, 1440),
        "after how many minutes without a request a sign-in to the pages ends",
    ),
    "session_hours": Setting(
        "LEDGER_SESSION_HOURS",
        "12",
        _whole(1, 168),
        "after how many hours a sign-in to the pages ends in any case",
    ),
    "hosts": Setting(
        "LEDGER_HOSTS",
        "",
        _names,
        "the names, divided by commas, by which the service is asked for, like "
        "`ledger.example.cn`; a request by another one is refused. By default any",
    ),
    "secret_key": Setting(
        "LEDGER_SECRET_KEY",
        "",
        secret_keys,
        "the master key that wraps the keys of personal data, 64 hexadecimal digits; where it is "
        "not set it is in a file. While keys are rotated: the new one, a comma, the old one",
    ),
    "secret_key_file": Setting(
        "LEDGER_SECRET_FILE",
        "",
        _folder,
        "the file of the master key, made at the first start where `LEDGER_SECRET_KEY` is not set; "
        "by default `ledger.sqlite.secret` beside the ledger, better on another disk",
    ),
    "cipher": Setting(
        "LEDGER_CIPHER",
        CIPHERS[0],
        _cipher,
        "what seals contacts from now on and wraps their keys: `A256GCM`, or `SM4GCM` for offices "
        "that must use national algorithms",
    ),
    "log": Setting(
        "LEDGER_LOG",
        LOGS[0],
        _log,
        "how the log on stderr is written: `text`, `json` (a line of JSON for each entry) or "
        "`requests` (the same, and a line for each request)",
    ),
    "traces_to": Setting(
        "LEDGER_TRACES_TO",
        "",
        _traces_to,
        "the address of an OpenTelemetry collector that takes OTLP over HTTP, like "
        "`http://127.0.0.1:4318`; needs the extra packages of `lead-ledger[traces]`",
    ),
    "position_timeout": Setting(
        "LEDGER_POSITION_TIMEOUT",
        "2",
        _seconds,
        "how many seconds a read waits for the log position that `If-Ledger-Position` names before "
        "it answers 503",
    ),
    "cache": Setting(
        "LEDGER_CACHE",
        "64",
        _whole(1, 65_536),
        "how many MiB of a SQLite file each connection keeps in memory, at most; a process has up "
        "to five connections to the large ones",
    ),
}


# Where the ledger is: the database, the file of its password, and the machine's own files.
PLACE = tuple(TABLE[name].variable for name in ("postgres", "password_file", "database"))

# What is never repeated where it is wrong.
_SECRETS = ("secret_key", "postgres", "replica", "oidc_client_secret")


def _place(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings of the database come to together."""
    where, files, password_file, replica = (
        values[name] for name in ("postgres", "database", "password_file", "replica")
    )
    if isinstance(where, Postgres):
        if where.password is not None and password_file is not None:
            name = TABLE["password_file"].variable
            raise WrongSetting(f"{name}: there is a password in LEDGER_DATABASE as well; drop one.")
        where = replace(where, password_file=password_file)
        if replica is not None and replica.password is None:
            replica = replace(replica, password_file=password_file)
        files = files or HOME / "var" / "ledger"
        return {"database": files, "postgres": where, "replica": replica}
    said = {"password_file": password_file, "database": files, "replica": replica}
    for name, value in said.items():
        if value is not None:
            raise WrongSetting(f"{TABLE[name].variable}: it is for PostgreSQL, not {where}.")
    return {"database": where, "postgres": None}


def strangers(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A line on each variable that is named like a setting and is none, with the nearest one."""
    known = [setting.variable for setting in TABLE.values()]
    unknown = sorted(n for n in environment if n.startswith("LEDGER_") and n not in known)
    nearest = {name: get_close_matches(name, known, 1, 0)[0] for name in unknown}
    return [f"{name} is no setting; the nearest is {nearest[name]}." for name in unknown]


@dataclass(frozen=True)
class Settings:
    """What the environment asks for; see ``TABLE`` for each field's meaning.

    ``database`` is the SQLite file that holds the ledger, or, where ``postgres`` does, what the
    names of the files begin with that stay on this machine.
    """

    database: Path
    bind: str
    port: int
    workers: int
    lock_timeout: float
    keeper_dir: Path | None
    checkpoint_every: int
    checkpoint_to: str | None
    due_days: Mapping[str, int] = field(default_factory=lambda: DAYS)
    export_dir: Path | None = None
    export_at: time | None = time(2)
    trusted_proxies: tuple[Network, ...] = ()
    failures_a_minute: int = 10
    requests_a_minute: int = 0
    patience: float = 20.0
    oidc_issuer: str | None = None
    oidc_audience: str = ""
    oidc_roles: Mapping[str, str] = field(default_factory=dict)
    oidc_role_claim: str = "roles"
    oidc_district_claim: str = ""
    oidc_member_claim: str = ""
    oidc_client: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_scope: str = "openid profile"
    session_idle: int = 60
    session_hours: int = 12
    hosts: frozenset[str] = frozenset()
    secret_key: tuple[bytes, ...] = field(default=(), repr=False)
    secret_key_file: Path | None = None
    cipher: str = CIPHERS[0]
    postgres: Postgres | None = None
    password_file: Path | None = None
    replica: Postgres | None = None
    keeps: bool = True
    log: str = LOGS[0]
    traces_to: str | None = None
    position_timeout: float = 2.0
    cache: int = 64

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The settings, with defaults where nothing is set; WrongSetting names a bad one."""
        values = {}
        for name, setting in TABLE.items():
            text = environment.get(setting.variable) or setting.default
            try:
                if not text.isprintable():
                    what = "it" if name in _SECRETS else f"{text!r}"
                    raise ValueError(f"{what} has a character that cannot be printed")
                values[name] = setting.read(text)
            except ValueError as why:
                raise WrongSetting(f"{setting.variable}: {why}.") from None
        if values["oidc_client"] and not values["oidc_issuer"]:
            issuer = TABLE["oidc_issuer"].variable
            raise WrongSetting(f"{issuer}: it is needed with {TABLE['oidc_client'].variable}.")
        for name in ("oidc_audience", "oidc_roles") if values["oidc_issuer"] else ():
            if not values[name]:
                raise WrongSetting(
                    f"{TABLE[name].variable}: it is needed with {TABLE['oidc_issuer'].variable}."
                )
        return cls(**{**values, **_place(values)})

    def environment(self) -> dict[str, str]:
        """What another process needs to work on the same ledger."""
        where = {PLACE[0]: f"sqlite:///{self.database}"}
        if self.postgres:
            told = (self.postgres.whole_url, f"{self.password_file or ''}", f"{self.database}")
            where = dict(zip(PLACE, told, strict=True))
        return {
            **where,
            "LEDGER_LOCK_TIMEOUT": f"{self.lock_timeout}",
            "LEDGER_SECRET_KEY": ",".join(key.hex() for key in self.secret_key),
            "LEDGER_SECRET_FILE": f"{self.secret_file}",
            "LEDGER_CIPHER": self.cipher,
        }

    @property
    def place(self) -> str:
        """Where the log is, as it is told to people."""
        return self.postgres.url if self.postgres else f"{self.database}"

    @property
    def subjects(self) -> Path:
        """The file of the persons' keys, which cannot be made from anything."""
        return self.database.with_name(self.database.name + ".subjects")

    @property
    def secret_file(self) -> Path:
        """The file of the master key."""
        return self.secret_key_file or self.database.with_name(self.database.name + ".secret")

    @property
    def restoring(self) -> Path:
        """The folder of a backup that is being put back; there is none at other times."""
        return self.database.with_name(self.database.name + ".restoring")

    @property
    def moved(self) -> Path:
        """The note that this ledger is served from elsewhere now; there is none at other times."""
        return self.database.with_name(self.database.name + ".moved")

    @property
    def marked(self) -> Path:
        """The folder of marked copies of what could not be imported."""
        return self.database.with_name(self.database.name + ".marked")

    @property
    def uploads(self) -> Path:
        """The folder of what was sent to be imported, until it is recorded."""
        return self.database.with_name(self.database.name + ".uploads")

    @property
    def used(self) -> Path:
        """The folder whose files tell when each token was last used."""
        return self.database.with_name(self.database.name + ".used")

    @property
    def projections(self) -> Path:
        """The file of the projections, beside the log; it can be made anew from the log."""
        return self.database.with_name(self.database.name + ".projections")

    @property
    def access(self) -> Path:
        """The file of the access records, beside the log."""
        return self.database.with_name(self.database.name + ".access")

    @property
    def slowing(self) -> Path:
        """The file in which workers count who fails; it may be removed while none is at work."""
        return self.database.with_name(self.database.name + ".slowing")

    @property
    def tree(self) -> Path:
        """The file of the tree over the log; it, too, can be made anew."""
        return self.database.with_name(self.database.name + ".tree")

    @property
    def keeper(self) -> Path:
        """The keeper's folder."""
        return self.keeper_dir or self.database.with_name(self.database.name + ".keeper")

    @property
    def exports(self) -> Path:
        """The folder of the exports."""
        return self.export_dir or self.database.with_name(self.database.name + ".exports")
