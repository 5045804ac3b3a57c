"""A certificate and its key for one run of a plugin, in memory only.

The certificate is written in DER here, from the few fields that Terraform looks at: `cryptography.x509`, which could
write any, costs 20 ms and 6 MB of every start, and Terraform starts a plugin several times per command.
Source: RFC 5280 (certificate), RFC 5480 (elliptic curves), X.690 (DER).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

INTEGER, BIT_STRING, OCTET_STRING, UTF8_STRING, UTC_TIME = 0x02, 0x03, 0x04, 0x0C, 0x17
SEQUENCE, SET = 0x30, 0x31
VERSION_3 = bytes.fromhex("a003020102")
TRUE = bytes.fromhex("0101ff")
# Object identifiers, with their tag and length.
ECDSA_WITH_SHA256 = bytes.fromhex("06082a8648ce3d040302")
COMMON_NAME = bytes.fromhex("0603550403")
ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
BASIC_CONSTRAINTS = bytes.fromhex("0603551d13")
KEY_USAGES = bytes.fromhex("0603551d25")
SERVER_AUTH, CLIENT_AUTH = bytes.fromhex("06082b06010505070301"), bytes.fromhex("06082b06010505070302")
DNS_NAME = 0x82  # the alternative name's second choice
HOST = b"localhost"
LIFE = timedelta(days=30)


def self_signed(now: datetime | None = None) -> tuple[bytes, bytes]:
    """A key (PEM) and a certificate (DER) for `localhost` that this key signs, valid from now on for LIFE."""
    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    algorithm = _der(SEQUENCE, ECDSA_WITH_SHA256)
    name = _der(SEQUENCE, _der(SET, _der(SEQUENCE, COMMON_NAME, _der(UTF8_STRING, HOST))))
    validity = _der(SEQUENCE, _time(now - timedelta(minutes=1)), _time(now + LIFE))
    serial = _der(INTEGER, b"\x01" + os.urandom(15))  # positive, and another for each run
    body = _der(SEQUENCE, VERSION_3, serial, algorithm, name, validity, name, public, _extensions())
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, _der(SEQUENCE, body, algorithm, _der(BIT_STRING, b"\x00", signature))


def pem(certificate: bytes) -> bytes:
    """A certificate's DER in PEM."""
    from ssl import DER_cert_to_PEM_cert

    return DER_cert_to_PEM_cert(certificate).encode()


def _extensions() -> bytes:
    found = [
        _der(SEQUENCE, ALTERNATIVE_NAME, _der(OCTET_STRING, _der(SEQUENCE, _der(DNS_NAME, HOST)))),
        _der(SEQUENCE, BASIC_CONSTRAINTS, TRUE, _der(OCTET_STRING, _der(SEQUENCE, TRUE))),  # its own authority
        _der(SEQUENCE, KEY_USAGES, _der(OCTET_STRING, _der(SEQUENCE, SERVER_AUTH, CLIENT_AUTH))),
    ]
    return _der(0xA3, _der(SEQUENCE, *found))


def _time(moment: datetime) -> bytes:
    return _der(UTC_TIME, moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def _der(tag: int, *parts: bytes) -> bytes:
    """One element: tag, length, content."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
