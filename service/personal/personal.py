"""Personal data of a ledger: sealed when recorded, opened and masked when answered."""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from eventsourcing.persistence import Mapper

from service.log_recorder import LedgerRecorder
from service.personal.contacts import (
    GONE,
    UNREADABLE,
    Contact,
    Kept,
    contact_in_cells,
    is_sealed,
    masked,
    opened,
    sealed,
    told_by,
)
from service.personal.erasures import Erasures
from service.personal.keys import Key, Keys
from service.settings import Settings

# How many contacts are kept opened and masked; all are dropped when somebody is erased.
_REMEMBERED = 4096
# In the JSON of a lead. A text cannot hold it: its quotes would be escaped.
_CONTACT, _END = b'"contact":{', b"}"
_SEALED = b'"subject":'


class Told(NamedTuple):
    """A contact as the JSON that is answered: with the subject's id, and without it; whether the
    person was erased, and whether the key is missing."""

    named: bytes
    nameless: bytes
    gone: bool
    lost: bool


class Person(NamedTuple):
    """Whom a contact is, with the key."""

    key: Key

    def blinded(self, digest: str) -> str:
        """A digest over a contact as one that tells nothing once the key is destroyed."""
        return hmac.digest(self.key.key, digest.encode(), "sha256").hex()


class Personal:
    """What seals and opens contacts."""

    def __init__(self, settings: Settings, recorder: LedgerRecorder, mapper: Mapper[Any]) -> None:
        self.keys = Keys(settings)
        self._algorithm = settings.cipher
        self._erasures = Erasures(recorder, mapper)
        self._erased: set[str] = set()
        self._looked = False
        self._told: dict[bytes, Told] = {}

    def create(self) -> None:
        """Make what is missing, and destroy what the log says was erased."""
        self.keys.create()
        self.destroy_erased()

    def log_went_on(self) -> None:
        """Somebody may have been erased: look before the next contact is opened."""
        self._looked = False

    def destroy_erased(self) -> None:
        """Destroy the key of everybody whom the log calls erased, if it is still there."""
        self._looked = False
        erased = self._all_erased()
        if left := self.keys.there(sorted(erased)):
            self.keys.destroy(left)

    # Sealing

    def person(self, contact: Kept, lead_id: object) -> Person:
        """Who it is; a key is made for whoever has none."""
        return self.persons([(contact, lead_id)])[0]

    def persons(self, contacts: Sequence[tuple[Kept, object]]) -> list[Person]:
        """The same of many at once."""
        names = [told_by(contact, lead_id) for contact, lead_id in contacts]
        found = self.keys.of_persons(names)
        if not self._all_erased().isdisjoint(key.id for key in found):
            # Erased, and the key not destroyed yet: it seals nothing more.
            self.destroy_erased()
            found = self.keys.of_persons(names)
        return [Person(key) for key in found]

    def sealed(self, contact: Kept, person: Person) -> dict[str, str | None]:
        """The contact as an event keeps it."""
        return sealed(contact, person.key, self._algorithm)

    def as_before(self, contact: Any, events: Iterable[Any]) -> Any:
        """A sealed contact, as it stands in one of a lead's ``events`` already if the same was
        sealed there: so a command that says nothing new records nothing."""
        told: list[Kept] = []
        for event in events:
            _in_facts({**vars(event)}, told.append)
        earlier = [one for one in told if one.get("subject") == contact["subject"]]
        if not earlier:
            return contact
        said, *before = self.open([contact, *earlier])
        return next((k for k, c in zip(earlier, before, strict=True) if c == said), contact)

    # Opening

    def open(self, kept: Sequence[Kept]) -> list[Contact]:
        """The contacts in plain; GONE where the person was erased, UNREADABLE where the key is
        missing or does not fit."""
        erased = self._all_erased()
        wanted = {f"{one['subject']}" for one in kept if is_sealed(one)} - erased
        keys = self.keys.of_ids(sorted(wanted)) if wanted else {}
        return [self._opened(one, keys, erased) for one in kept]

    def _opened(self, kept: Kept, keys: Mapping[str, Key], erased: set[str]) -> Contact:
        if not is_sealed(kept):
            return Contact(kept["name"], kept["phone"])
        subject = f"{kept['subject']}"
        if subject in erased:
            return GONE
        key = keys.get(subject)
        return UNREADABLE if key is None else opened(kept, key)

    def masked(self, kept: Sequence[Kept]) -> list[Contact]:
        """The contacts so that they name nobody."""
        return [masked(contact) for contact in self.open(kept)]

    # Answering

    def shown(
        self, lead: Mapping[str, Any], *, plain: bool = False, named: bool = True
    ) -> dict[str, Any]:
        """A lead with its contact as {"subject", "name", "phone"}, masked unless ``plain``;
        ``named`` False: without the subject's id."""
        kept = lead["contact"]
        if kept is None:
            return {**lead}
        (contact,) = self.open([kept]) if plain else self.masked([kept])
        return {**lead, "contact": _answer(kept, contact, named=named)}

    def body(self, body: bytes, *, named: bool) -> tuple[bytes, bool]:
        """The JSON of a lead with its contact masked, and whether its person was erased; ``named``:
        with the subject's id."""
        self._all_erased()
        head, inner, tail = _parted(body)
        if not inner:
            return body, False
        told = self._told.get(inner) or self._tell([inner])[inner]
        return head + (told.named if named else told.nameless) + tail, told.gone

    def bodies(self, bodies: Sequence[bytes], *, named: bool) -> list[bytes]:
        """The same of many leads, whose keys are asked for at once."""
        self._all_erased()
        inners = {_parted(body)[1] for body in bodies} - self._told.keys() - {b""}
        if len(inners) > 1:
            self._tell(sorted(inners))
        return [self.body(body, named=named)[0] for body in bodies]

    def _tell(self, inners: Sequence[bytes]) -> dict[bytes, Told]:
        """Each of these contacts as it is answered. They are kept, but for those whose key is not
        there: it may be put back."""
        kept: list[Kept] = [orjson.loads(b"{%b}" % inner) for inner in inners]
        contacts = self.masked(kept)
        told = {
            inner: Told(
                _json(one, contact, named=True),
                _json(one, contact, named=False),
                contact == GONE,
                contact == UNREADABLE,
            )
            for inner, one, contact in zip(inners, kept, contacts, strict=True)
        }
        if len(self._told) + len(told) > _REMEMBERED:
            self._told = {}
        self._told |= {inner: one for inner, one in told.items() if not one.lost}
        return told

    def steps(self, steps: Sequence[dict[str, Any]], *, named: bool = True) -> list[dict[str, Any]]:
        """A history's steps with every contact in them masked."""
        found: list[Kept] = []
        for step in steps:
            _replaced(step, found.append)
        shown = zip(found, self.masked(found), strict=True)
        told = iter([_answer(kept, contact, named=named) for kept, contact in shown])
        return [_replaced(step, lambda _kept: next(told)) for step in steps]

    def cells(
        self, cells: Sequence[tuple[str | None, str | None]], *, plain: bool
    ) -> list[Contact]:
        """What stands in the two cells of a contact (see `cells_of_contact`), masked unless
        ``plain``."""
        kept = [contact_in_cells(*two) for two in cells]
        return self.open(kept) if plain else self.masked(kept)

    def event(self, data: Mapping[str, Any], *, plain: bool) -> dict[str, Any]:
        """An event's facts as an export has them: what is sealed stays so unless ``plain``; what
        was recorded in plain is masked."""

        def shown(kept: Kept) -> Kept:
            if plain:
                return _answer(kept, self.open([kept])[0])
            return kept if is_sealed(kept) else _answer(kept, self.masked([kept])[0])

        told = dict(data)
        _in_facts(told, shown)
        return told

    def _all_erased(self) -> set[str]:
        if not self._looked:
            self._erased = self._erasures.look(self._forget)
            self._looked = True
        return self._erased

    def _forget(self) -> None:
        self._told = {}


def _parted(body: bytes) -> tuple[bytes, bytes, bytes]:
    """The JSON of a lead before its contact, within it, and after it; nothing within for none."""
    head, found, rest = body.partition(_CONTACT)
    if not found:
        return body, b"", b""
    if rest.startswith(_SEALED):
        inner, _, tail = rest.partition(_END)
        return head, inner, tail
    # It was recorded in plain, and a name may hold whatever would end it.
    inner = orjson.dumps(orjson.loads(body)["contact"])[1:-1]
    return head, inner, rest[len(inner) + 1 :]


def _json(kept: Kept, contact: Contact, *, named: bool) -> bytes:
    return b'"contact":' + orjson.dumps(_answer(kept, contact, named=named))


def _answer(kept: Kept, contact: Contact, *, named: bool = True) -> dict[str, str | None]:
    """A contact as it is answered: with the person's id where it has one."""
    subject = {"subject": kept["subject"]} if named and is_sealed(kept) else {}
    return {**subject, "name": contact.name, "phone": contact.phone}


def _replaced(step: Mapping[str, Any], put: Callable[[Kept], Any]) -> dict[str, Any]:
    """A step with ``put`` of each of its contacts in its place."""
    told = {**step, "facts": {**step["facts"]}, "changes": [{**one} for one in step["changes"]]}
    _in_facts(told["facts"], put)
    for change in told["changes"]:
        if change["fact"] == "contact":
            for end in ("from", "to"):
                change[end] = change[end] and put(change[end])
    return told


def _in_facts(facts: dict[str, Any], put: Callable[[Kept], Any]) -> None:
    """The same within an event's facts, and within the facts that it revises or puts right."""
    if facts.get("contact"):
        facts["contact"] = put(facts["contact"])
    if isinstance(facts.get("facts"), dict):
        facts["facts"] = {**facts["facts"]}
        _in_facts(facts["facts"], put)
