"""A certificate for loopback, made on the spot with an authority of its own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import Certificate, CertificateBuilder, Name

__all__ = ["client_context", "make_certificate", "server_context"]

_LIFETIME = timedelta(days=365)


def make_certificate(folder: Path, host: str) -> Path:
    """Writes `ca.pem`, which is returned, and `server.pem` (with its key) to folder.

    Good for `localhost`, 127.0.0.1, ::1 and the host. The authority's key is not kept.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "TLS needs the package cryptography: pip install 'stork-codec[simulator]'"
        ) from error
    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("stork-codec simulator CA")
    ca = _signed(_builder(ca_name, ca_name, ca_key.public_key(), 0), ca_key)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    addresses = {ip_address("127.0.0.1"), ip_address("::1")}
    try:
        addresses.add(ip_address(host))
    except ValueError:
        if host != "localhost":
            names.append(x509.DNSName(host))
    names += [x509.IPAddress(address) for address in sorted(addresses, key=str)]
    builder = _builder(_name("stork-codec simulator"), ca_name, key.public_key(), None)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    certificate = _signed(builder, ca_key)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = folder / "server.pem"
    server.touch(0o600)
    server.write_bytes(secret + certificate.public_bytes(pem))
    path = folder / "ca.pem"
    path.write_bytes(ca.public_bytes(pem))
    return path


def server_context(ca_path: Path) -> ssl.SSLContext:
    """The server's side, of the certificate beside the authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_path.with_name("server.pem"))
    return context


def client_context(ca_path: Path) -> ssl.SSLContext:
    """A client's side, which trusts that authority and no other."""
    return ssl.create_default_context(cafile=str(ca_path))


def _name(text: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: Name,
    issuer: Name,
    key: ec.EllipticCurvePublicKey,
    path_length: int | None,
) -> CertificateBuilder:
    """What both certificates have; a path length makes an authority."""
    from cryptography import x509

    is_ca = path_length is not None
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(is_ca, path_length), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


def _signed(
    builder: CertificateBuilder, ca_key: ec.EllipticCurvePrivateKey
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(authority, False)
    return builder.sign(ca_key, hashes.SHA256())
