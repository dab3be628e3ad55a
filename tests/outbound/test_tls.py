"""TLS is trusted or refused; there is nothing between (C25)."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.outbound.connect import default_tls
from core.outbound.errors import TlsFailed
from tests.outbound.conftest import Hostile

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


def certificate(folder: Path, *names: x509.GeneralName, days: int = 1) -> Path:
    """A self-signed certificate with its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "node.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def hello(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HELLO)
    await writer.drain()


def serving(path: Path) -> tuple[Hostile, ssl.SSLContext]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return Hostile(hello), context


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


async def test_a_certificate_of_a_trusted_authority_is_accepted(ask, tmp_path):
    path = certificate(tmp_path, HERE)
    server, context = serving(path)
    async with server.running(context):
        answer = await ask(f"https://127.0.0.1:{server.port}/", tls=trusting(path))
    assert answer.body == b"hello"


async def test_a_self_signed_certificate_is_refused(ask, tmp_path):
    server, context = serving(certificate(tmp_path, HERE))
    async with server.running(context):
        with pytest.raises(TlsFailed, match="certificate not accepted"):
            await ask(f"https://127.0.0.1:{server.port}/")


async def test_a_certificate_for_another_name_is_refused(ask, tmp_path, network):
    path = certificate(tmp_path, x509.DNSName("other.example"))
    server, context = serving(path)
    network.answers["node.example"] = [["127.0.0.1"]]
    async with server.running(context):
        for host in ("127.0.0.1", "node.example"):
            with pytest.raises(TlsFailed, match="certificate not accepted"):
                await ask(f"https://{host}:{server.port}/", tls=trusting(path))


async def test_the_name_of_the_url_is_what_is_verified_and_asked_for(ask, tmp_path, network):
    asked = []
    path = certificate(tmp_path, x509.DNSName("node.example"))
    server, context = serving(path)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    network.answers["node.example"] = [["127.0.0.1"]]
    async with server.running(context):
        answer = await ask(f"https://node.example:{server.port}/", tls=trusting(path))

    assert (answer.status, asked) == (200, ["node.example"])
    assert network.connects == [("127.0.0.1", server.port)]


async def test_an_expired_certificate_is_refused(ask, tmp_path):
    path = certificate(tmp_path, HERE, days=-1)
    server, context = serving(path)
    async with server.running(context):
        with pytest.raises(TlsFailed, match="expired"):
            await ask(f"https://127.0.0.1:{server.port}/", tls=trusting(path))


async def test_a_server_without_tls_is_refused(ask):
    async def script(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = Hostile(script)
    async with server.running():
        with pytest.raises(TlsFailed):
            await ask(f"https://127.0.0.1:{server.port}/")


def test_old_versions_of_tls_are_not_spoken():
    assert default_tls().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert default_tls().verify_mode is ssl.CERT_REQUIRED
    assert default_tls().check_hostname
