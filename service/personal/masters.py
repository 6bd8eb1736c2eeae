"""The master key, which wraps every person's key: in LEDGER_SECRET_KEY, or in a file of its own.

Both may name several, each in hexadecimal: the first wraps, the others still open what they wrapped
until ``leadledger keys rotate`` is done.
"""

import secrets
from hashlib import sha256
from typing import NamedTuple

from domain.errors import NotReady, Refused
from domain.sentences import Sentence
from service.durable import write_durably
from service.personal.ciphers import KEY_BYTES
from service.settings import Settings, WrongSetting, secret_keys

_ONE = Sentence(
    "LEDGER_SECRET_KEY names one key only: name the new one before it, with "
    "a comma between, start the service anew with both, and rotate then."
)


class Master(NamedTuple):
    """A master key, and the name by which what it wraps says so."""

    id: str
    key: bytes


class Masters:
    """The master keys of a ledger."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.secret_file
        self._known: list[Master] = []

    @property
    def place(self) -> str:
        """Where they come from, for whoever looks for them."""
        return "LEDGER_SECRET_KEY" if self._settings.secret_key else f"the file {self._file}"

    def read(self) -> list[Master]:
        """Those that there are, the one that wraps first; none where there is no file."""
        keys = self._settings.secret_key or self._in_file()
        self._known = [Master(_name(key), key) for key in keys]
        return self._known

    def make(self) -> list[Master]:
        """One, if there is none: in the file, on the disk before it is used."""
        if not self.read():
            self._write([secrets.token_bytes(KEY_BYTES)])
        return self.read()

    def named(self, name: str) -> Master:
        """The one of that name, looked for anew where it is not known yet; NotReady."""
        known = {master.id: master for master in self._known}
        if name not in known:
            known = {master.id: master for master in self.read()}
        if name in known:
            return known[name]
        raise NotReady(
            "A key of personal data was wrapped by master key {name}, which is not "
            "in {place}: was it changed? Start the service anew with it.",
            name=name,
            place=self.place,
            retry_after=60,
        )

    def begin_rotation(self) -> Master:
        """The new one, before the old one from now on. Where a rotation was broken off, it is the
        one that it began with. Refused for LEDGER_SECRET_KEY that names no new one."""
        if self._settings.secret_key and len(self.read()) < 2:
            raise Refused(_ONE)
        if len(self.make()) < 2:
            old = [master.key for master in self._known]
            self._write([secrets.token_bytes(KEY_BYTES), *old])
        return self.read()[0]

    def end_rotation(self) -> None:
        """Nothing is wrapped by an old one any more: the file forgets it."""
        if not self._settings.secret_key:
            self._write([self.read()[0].key])

    def _in_file(self) -> tuple[bytes, ...]:
        try:
            text = self._file.read_text("ascii")
        except FileNotFoundError:
            return ()
        except UnicodeDecodeError:
            text = "?"
        try:
            return secret_keys(text.replace("\n", ",").strip(","))
        except ValueError as why:
            wrong = Sentence(
                "LEDGER_SECRET_FILE: {file} holds no master key: {why}.", file=self._file, why=why
            )
            raise WrongSetting(wrong) from None

    def _write(self, keys: list[bytes]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._file, "".join(f"{key.hex()}\n" for key in keys).encode())


def _name(key: bytes) -> str:
    return sha256(b"leadledger master\n" + key).hexdigest()[:16]
