"""The certificate that is written by hand, read by a library that knows them all."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from tfplugin.certificate import LIFE, pem, self_signed

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def certificate():
    return x509.load_der_x509_certificate(self_signed(NOW)[1])


def test_its_key_is_its_own_and_signs_it(certificate):
    private, der = self_signed()
    key = serialization.load_pem_private_key(private, password=None)
    read = x509.load_der_x509_certificate(der)

    assert read.public_key() == key.public_key()
    read.verify_directly_issued_by(read)  # raises when the signature is not the key's


def test_it_is_for_localhost_as_server_and_as_its_own_authority(certificate):
    extensions = certificate.extensions
    names = extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    usages = extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    constraints = extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)

    assert certificate.version is x509.Version.v3
    assert certificate.subject == certificate.issuer
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "localhost"
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(usages) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert (constraints.critical, constraints.value.ca) == (True, True)


def test_it_is_valid_from_a_minute_ago_until_its_life_is_over(certificate):
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=1)
    assert certificate.not_valid_after_utc == NOW + LIFE


def test_each_run_has_another_serial_number_and_key():
    first, second = (x509.load_der_x509_certificate(self_signed()[1]) for _ in range(2))

    assert first.serial_number != second.serial_number
    assert first.public_key() != second.public_key()


def test_pem_and_der_are_the_same_certificate(certificate):
    der = self_signed(NOW)[1]

    assert x509.load_pem_x509_certificate(pem(der)).public_bytes(serialization.Encoding.DER) == der
