"""Where the ledger is on PostgreSQL, and how each connection to it is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from domain.errors import NotReady

SCHEMES = ("postgresql", "postgres")
# What may stand behind the question mark: libpq's own names. Others of libpq's would change what
# the service says or how it says it.
PARAMETERS = (
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "passfile",
    "target_session_attrs",
    "load_balance_hosts",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "application_name",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslcrldir",
    "ssl_min_protocol_version",
    "channel_binding",
    "require_auth",
    "gssencmode",
    "krbsrvname",
)
# What is not said otherwise. The first: of several hosts the one that takes writes is the ledger; a
# standby that is not promoted yet is as good as none. The others, in seconds but for the second,
# in milliseconds: a network that is cut is noticed while somebody still waits for the answer.
DEFAULTS: Mapping[str, str] = {
    "target_session_attrs": "read-write",
    "tcp_user_timeout": "10000",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "application_name": "leadledger",
}


def _said(query: str) -> list[tuple[str, str]]:
    """The parameters of an address; ValueError where it is none. To libpq a plus is a plus, unlike
    in a form."""
    plain = query.replace("+", "%2B")
    return parse_qsl(plain, keep_blank_values=True, strict_parsing=bool(query))


@dataclass(frozen=True)
class Postgres:
    """A database: its address without a password, and the password, or the file that has it.

    The file is read for each new connection, so that a password can be changed while all goes on.
    """

    url: str
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None

    @classmethod
    def at(cls, text: str) -> "Postgres":
        """The database of an address in libpq's own form; ValueError says what is wrong with it,
        and never a password."""
        try:
            parts = urlsplit(text)
            given = _said(parts.query)
        except ValueError:
            raise ValueError("it is no address like postgresql://USER@HOST:5432/DATABASE") from None
        named = dict(given)
        for name in named:
            if name not in PARAMETERS:
                near = get_close_matches(name, PARAMETERS, 1, 0)[0]
                raise ValueError(f"'{name}' is no parameter of it; the nearest is {near}")
        if len(named) < len(given):
            raise ValueError("one of its parameters stands twice")
        people, _, hosts = parts.netloc.rpartition("@")
        user, colon, password = people.partition(":")
        if parts.path in ("", "/") or parts.fragment or parts.path.count("/") > 1:
            raise ValueError("it names no database: postgresql://USER@HOST:5432/DATABASE")
        secret = unquote(password) if colon else named.pop("password", None)
        named.pop("password", None)
        place = f"{user}@{hosts}" if user else hosts
        query = f"?{urlencode(named, quote_via=quote, safe='/,:')}" if named else ""
        return cls(f"postgresql://{place}{parts.path}{query}", secret or None)

    @classmethod
    def standby_at(cls, text: str) -> "Postgres":
        """The same of a database that is only read: of several servers one that is a standby,
        unless the address says otherwise."""
        found = cls.at(text)
        wanted = dict(_said(urlsplit(found.url).query)).get("target_session_attrs")
        if wanted in ("read-write", "primary"):
            raise ValueError(f"target_session_attrs={wanted} asks for one that is written")
        joint = "&" if "?" in found.url else "?"
        url = found.url if wanted else f"{found.url}{joint}target_session_attrs=standby"
        return replace(found, url=url)

    @property
    def whole_url(self) -> str:
        """The address with the password: for another process's environment, and nothing else."""
        if self.password is None:
            return self.url
        joint = "&" if "?" in self.url else "?"
        return f"{self.url}{joint}password={quote(self.password, safe='')}"

    @property
    def name(self) -> str:
        """The database's own name."""
        return unquote(urlsplit(self.url).path[1:])

    def parameters(self) -> dict[str, str]:
        """What libpq is told besides the address; NotReady when the password's file is not read."""
        said = dict(_said(urlsplit(self.url).query))
        told = {name: value for name, value in DEFAULTS.items() if name not in said}
        password = self.password if self.password_file is None else self._read()
        return told if password is None else {**told, "password": password}

    def connect(self, kind: Any = None, **options: Any) -> Any:
        """A new connection (of psycopg's class, or the ``kind`` that is made of it) that commits
        each statement by itself, unless ``options`` (psycopg's) say otherwise;
        psycopg.OperationalError when there is none to be had, NotReady where the database cannot
        keep every text."""
        # psycopg chooses how it waits when it is first imported: after gevent's patches, and
        # gunicorn's first process has none.
        import psycopg  # noqa: PLC0415

        made = kind or psycopg.Connection
        told = {"autocommit": True, "client_encoding": "UTF8", **self.parameters(), **options}
        found = made.connect(self.url, **told)
        encoding = found.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            found.close()
            raise NotReady(
                "Database {name} keeps texts in {encoding}, which has no room for all of them: "
                "make one with ENCODING 'UTF8'.",
                name=self.name,
                encoding=encoding,
            )
        return found

    def _read(self) -> str:
        file = self.password_file
        try:
            return file.read_text().rstrip("\r\n") if file else ""
        except (OSError, UnicodeDecodeError) as why:
            raise NotReady(f"The password file {file} cannot be read: {why}.") from None
