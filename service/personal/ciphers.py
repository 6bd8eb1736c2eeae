"""What seals and opens: authenticated ciphers, by the name that each sealed text carries."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE, _TAG = 12, 16


class NotOpened(Exception):
    """It was sealed with another key, about something else, or altered since."""


class _Cipher(NamedTuple):
    """``seal`` and ``open`` take key, nonce, data and what it is about."""

    seal: Callable[[bytes, bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes, bytes], bytes]


def _aes_seal(key: bytes, nonce: bytes, data: bytes, about: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, data, about)


def _aes_open(key: bytes, nonce: bytes, data: bytes, about: bytes) -> bytes:
    return AESGCM(key).decrypt(nonce, data, about)


def _sm4(key: bytes) -> algorithms.SM4:
    """SM4 takes 128 bits: derived, so that no part of a key serves two ciphers."""
    return algorithms.SM4(HKDF(hashes.SM3(), 16, None, b"leadledger SM4GCM").derive(key))


def _sm4_seal(key: bytes, nonce: bytes, data: bytes, about: bytes) -> bytes:
    sealing = Cipher(_sm4(key), modes.GCM(nonce)).encryptor()
    sealing.authenticate_additional_data(about)
    return sealing.update(data) + sealing.finalize() + sealing.tag


def _sm4_open(key: bytes, nonce: bytes, data: bytes, about: bytes) -> bytes:
    opening = Cipher(_sm4(key), modes.GCM(nonce, data[-_TAG:])).decryptor()
    opening.authenticate_additional_data(about)
    return opening.update(data[:-_TAG]) + opening.finalize()


_CIPHERS: Mapping[str, _Cipher] = {
    "A256GCM": _Cipher(_aes_seal, _aes_open),
    "SM4GCM": _Cipher(_sm4_seal, _sm4_open),
}
# The names, the one that serves unless a setting says otherwise first.
ALGORITHMS = tuple(_CIPHERS)


def seal(algorithm: str, key: bytes, data: bytes, about: str) -> bytes:
    """``data`` sealed under a fresh nonce, which stands before it. ``about`` says of what and for
    what: it is opened only by who says the same."""
    nonce = os.urandom(_NONCE)
    return nonce + _CIPHERS[algorithm].seal(key, nonce, data, _bound(algorithm, about))


def open_sealed(algorithm: str, key: bytes, sealed: bytes, about: str) -> bytes:
    """What was sealed; NotOpened."""
    cipher = _CIPHERS.get(algorithm)
    if cipher is None or len(sealed) < _NONCE + _TAG:
        raise NotOpened
    nonce, data = sealed[:_NONCE], sealed[_NONCE:]
    try:
        return cipher.open(key, nonce, data, _bound(algorithm, about))
    except InvalidTag:
        raise NotOpened from None


def _bound(algorithm: str, about: str) -> bytes:
    return f"leadledger\n{algorithm}\n{about}".encode()
