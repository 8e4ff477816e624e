"""The certificates serve for a provider on this machine, and for those who trust their authority."""

import asyncio
import ssl
from pathlib import Path

import pytest

from sluicegate.bench.certificates import Certificates, make_certificates
from sluicegate.bench.mock import MockSettings, start_mock


async def _connect(made: Certificates, host: str, authority: Path | None) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.chain, made.key)
    async with await start_mock(MockSettings(), ssl_context=server) as mock:
        context = ssl.create_default_context(cafile=authority)
        _, writer = await asyncio.open_connection("127.0.0.1", mock.port, ssl=context, server_hostname=host)
        writer.transport.abort()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate_is_trusted(tmp_path: Path, host: str) -> None:
    """By address and by name, if the authority is known; nobody else can read the key."""
    made = make_certificates(tmp_path)
    asyncio.run(_connect(made, host, made.authority))
    assert made.key.stat().st_mode & 0o077 == 0


def test_certificate_is_not_trusted_by_others(tmp_path: Path) -> None:
    """Without the authority, or for another name, it is worth nothing."""
    made = make_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(_connect(made, "localhost", None))
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(_connect(made, "elsewhere", made.authority))
