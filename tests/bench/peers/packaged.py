"""A place for packaged proxies, in which their programs seem to be installed already."""

from pathlib import Path

from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.base import Site


def site(directory: Path, environment: str, program: str, *, is_tls: bool = False) -> Site:
    """A site whose `environment` has an empty `program`."""
    path = directory / "environments" / environment / "bin" / program
    path.parent.mkdir(parents=True)
    path.touch()
    pem = Path("/authority.pem")
    return Site(4001, directory, 4002, Certificates(pem, pem, pem) if is_tls else None, directory / "environments")
