"""What is sealed is opened by its own key, about the same person and unaltered, and not else."""

import service  # noqa: F401, I001 - a safe SQLite first

from base64 import b64decode, b64encode
from typing import Any

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from service.personal.ciphers import ALGORITHMS
from service.personal.contacts import (
    UNREADABLE,
    Contact,
    cells_of_contact,
    contact_in_cells,
    masked,
    opened,
    sealed,
    told_by,
)
from service.personal.keys import Key
from service.settings import CIPHERS

texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=100)
contacts = st.fixed_dictionaries({"name": texts, "phone": texts})
keys = st.builds(Key, st.uuids().map(str), st.binary(min_size=32, max_size=32))
algorithms = st.sampled_from(ALGORITHMS)


def test_the_settings_name_the_ciphers_that_there_are() -> None:
    assert CIPHERS == ALGORITHMS


@given(contacts, keys, algorithms)
def test_what_is_sealed_is_opened_as_it_was(contact: Any, key: Key, algorithm: str) -> None:
    kept = sealed(contact, key, algorithm)
    assert set(kept) == {"subject", "alg", "sealed"}
    assert opened(kept, key) == Contact(contact["name"], contact["phone"])
    assert contact_in_cells(*cells_of_contact(kept)) == kept


@given(contacts, keys, keys, algorithms)
def test_another_key_opens_nothing(contact: Any, key: Key, other: Key, algorithm: str) -> None:
    if key.key != other.key:
        assert opened(sealed(contact, key, algorithm), other) == UNREADABLE


@given(contacts, keys, st.uuids(), algorithms)
def test_it_is_of_no_other_subject(contact: Any, key: Key, other: Any, algorithm: str) -> None:
    kept = {**sealed(contact, key, algorithm), "subject": f"{other}"}
    assert opened(kept, key) == UNREADABLE


@given(contacts, keys, algorithms, st.data())
def test_one_bit_that_is_flipped_is_noticed(
    contact: Any, key: Key, algorithm: str, data: st.DataObject
) -> None:
    kept = sealed(contact, key, algorithm)
    text = bytearray(b64decode(f"{kept['sealed']}"))
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8
    altered = {**kept, "sealed": b64encode(text).decode()}
    assert opened(altered, key) == UNREADABLE


@pytest.mark.parametrize("text", ["", "A", "####", "AAAA", "é"])
def test_what_was_never_sealed_is_not_opened(text: str) -> None:
    key = Key("a", bytes(32))
    assert opened({"subject": "a", "alg": "A256GCM", "sealed": text}, key) == UNREADABLE
    assert opened({"subject": "a", "alg": "none", "sealed": "A" * 80}, key) == UNREADABLE


def test_one_cipher_does_not_pass_for_another() -> None:
    key = Key("a", bytes(32))
    kept = sealed({"name": "李", "phone": None}, key, "A256GCM")
    assert opened({**kept, "alg": "SM4GCM"}, key) == UNREADABLE


def test_another_library_opens_it_by_what_the_readme_says() -> None:
    """AES-256-GCM, the nonce first and the tag last, bound to cipher, purpose and subject."""
    key = Key("f01c5754-e945-46a7-a2b0-7d1ab9f14b9f", bytes(range(32)))
    raw = b64decode(f"{sealed({'name': '李', 'phone': '139'}, key, 'A256GCM')['sealed']}")
    other = AES.new(key.key, AES.MODE_GCM, nonce=raw[:12])
    other.update(f"leadledger\nA256GCM\ncontact\n{key.id}".encode())
    data = other.decrypt_and_verify(raw[12:-16], raw[-16:])
    assert data.rstrip() == '["李","139"]'.encode()


def test_the_length_tells_little() -> None:
    key = Key("a", bytes(32))
    lengths = {
        len(f"{sealed({'name': '李' * n, 'phone': '1' * 11}, key, 'A256GCM')['sealed']}")
        for n in range(1, 14)
    }
    assert len(lengths) == 1


def test_the_same_is_never_sealed_alike_twice() -> None:
    key, contact = Key("a", bytes(32)), {"name": "李", "phone": "139"}
    for algorithm in ALGORITHMS:
        found = {f"{sealed(contact, key, algorithm)['sealed']}" for _ in range(100)}
        assert len(found) == 100


@pytest.mark.parametrize(
    "phone",
    ["13800000001", "138 0000 0001", "+86 138-0000-0001", "0086 13800000001", "(138) 00000001"],
)
def test_a_number_is_one_however_it_is_written(phone: str) -> None:
    known = told_by({"name": "李", "phone": "13800000001"}, "lead 1")
    assert told_by({"name": "王", "phone": phone}, "lead 2") == known


def test_numbers_that_differ_are_of_different_persons() -> None:
    phones = ["13800000001", "13800000002", "0517-83590000", "0518-83590000", "83590000"]
    assert len({told_by({"name": "李", "phone": phone}, "a") for phone in phones}) == len(phones)


def test_without_a_number_a_name_is_a_person_on_its_own_lead_only() -> None:
    told = [
        told_by({"name": name, "phone": phone}, lead)
        for name, phone, lead in (
            ("李", None, "a"),
            ("李", None, "b"),
            ("王", None, "a"),
            # A mask is many people's.
            ("李", "138****0001", "a"),
            ("李", "138****0001", "b"),
        )
    ]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        (("李先生", "13800000001"), ("李**", "138****0001")),
        (("李", "0517-83590000"), ("李**", "051****0000")),
        (("王", "83590000"), ("王**", "****")),
        ((None, "1234567890"), (None, "****")),
        (("欧阳娜娜", None), ("欧**", None)),
        (("a\nb", "1"), ("a**", "****")),
        ((None, None), (None, None)),
    ],
)
def test_a_mask_names_nobody(contact: Any, shown: Any) -> None:
    assert masked(Contact(*contact)) == shown
    assert masked(masked(Contact(*contact))) == shown
