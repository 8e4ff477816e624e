"""A certificate authority of our own, and a certificate by it for a provider on this machine."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: whom to trust, and the server's chain and key."""

    authority: Path
    chain: Path
    key: Path


def make_certificates(directory: Path) -> Certificates:
    """Write new ones for 127.0.0.1 and localhost."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    made = Certificates(directory / "authority.pem", directory / "provider.pem", directory / "provider.key")
    authority.cert_pem.write_to_path(str(made.authority))
    made.chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(made.key))
    made.key.chmod(0o600)
    return made
