"""A contact: what is sealed of it, who it is, and how it is shown."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from service.personal.ciphers import NotOpened, open_sealed, seal
from service.personal.keys import Key

# What takes the place of a name and a number: whose key was destroyed; whose key is not there, or
# does not open what was sealed.
ERASED, LOST = "已删除", "无法解密"
# The length of what is sealed says no more than which multiple of this it is below, in bytes.
_BLOCK = 64
# Begins the cell of a sealed contact; it can stand in no text that the ledger keeps.
_MARK = "\x1c"
_NO_DIGIT = re.compile(r"[^0-9]")

# pattern → what takes its place: of a telephone number, and of a name.
Masks = tuple[tuple[str, str], ...]
PHONE_MASKS: Masks = ((r"^(.{3}).{4,}(.{4})$", r"\1****\2"),)
NAME_MASKS: Masks = ((r"(?s)^(.).*$", r"\1**"),)

# What is kept of a contact: {"subject", "alg", "sealed"}, or, of what was recorded before there
# were keys, {"name", "phone"}.
Kept = Mapping[str, str | None]


class Contact(NamedTuple):
    """Whom to call, in plain."""

    name: str | None
    phone: str | None


GONE, UNREADABLE = Contact(ERASED, ERASED), Contact(LOST, LOST)


def is_sealed(kept: Kept) -> bool:
    """Whether it is; else it was recorded in plain."""
    return "sealed" in kept


def told_by(contact: Kept, lead_id: object) -> str:
    """What tells a person apart: the telephone number; without one, the name on that lead."""
    phone, name = contact["phone"], contact["name"]
    number = _normal(phone) if phone and "*" not in phone else ""
    return f"phone\n{number}" if number else f"name\n{lead_id}\n{name or ''}\n{phone or ''}"


def _normal(phone: str) -> str:
    """The digits by which a number is called from within the country: 0517-83590000 and
    +86 (517) 8359 0000 are one."""
    digits = _NO_DIGIT.sub("", phone)
    digits = digits.removeprefix("00")
    if digits.startswith("86") and len(digits) > 11:
        digits = digits[2:]
    return digits.lstrip("0") or digits


def sealed(contact: Kept, by: Key, algorithm: str) -> dict[str, str | None]:
    """The contact as an event keeps it, under a fresh nonce."""
    data = orjson.dumps([contact["name"], contact["phone"]])
    data = data.ljust(-(-len(data) // _BLOCK) * _BLOCK)
    text = b64encode(seal(algorithm, by.key, data, _about(by.id))).decode()
    return {"subject": by.id, "alg": algorithm, "sealed": text}


def opened(kept: Mapping[str, Any], by: Key) -> Contact:
    """What was sealed; UNREADABLE for what that key does not open."""
    try:
        data = b64decode(kept["sealed"], validate=True)
        told = open_sealed(kept["alg"], by.key, data, _about(kept["subject"]))
    except (NotOpened, ValueError):
        return UNREADABLE
    return Contact(*orjson.loads(told))


def _about(subject: str) -> str:
    return f"contact\n{subject}"


def masked(contact: Contact) -> Contact:
    """The same so that it names nobody: 李**, 138****0001."""
    if contact in (GONE, UNREADABLE):
        return contact
    name, phone = contact
    return Contact(name and cover(name, NAME_MASKS), phone and cover(phone, PHONE_MASKS))


def cover(text: str, masks: Masks) -> str:
    """``text`` behind the first of ``masks`` that fits it."""
    for pattern, mask in masks:
        covered, found = re.subn(pattern, mask, text)
        if found:
            return covered
    return "****"


def cells_of_contact(kept: Kept) -> tuple[str | None, str | None]:
    """The contact in the two cells of a name and a number; a sealed one stands in the first."""
    if is_sealed(kept):
        return f"{_MARK}{kept['subject']} {kept['alg']} {kept['sealed']}", None
    return kept["name"], kept["phone"]


def contact_in_cells(name: str | None, phone: str | None) -> Kept:
    """What ``cells_of_contact`` was given."""
    if name and name.startswith(_MARK):
        return dict(zip(("subject", "alg", "sealed"), name[1:].split(" "), strict=True))
    return {"name": name, "phone": phone}
