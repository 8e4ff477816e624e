"""How much of each package the tests must reach; checked at the end of `make test`."""

import io
from collections.abc import Iterator, Mapping

from coverage import Coverage

from tests.rules.project import PACKAGE, ROOT

FLOORS = dict.fromkeys(("domain", "wire", "dialects", "gateway", "ledger", "events"), 95.0)
"""Percent of lines and branches by package. The floor of the whole is the one `make test` gives to pytest-cov."""


def measured() -> dict[str, float]:
    """Percent of lines and branches that the tests just run have reached, of those packages that exist."""
    coverage = Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    folders = {name: ROOT / PACKAGE / name for name in FLOORS}
    return {
        name: coverage.report(include=[f"{folder}/*"], file=io.StringIO())
        for name, folder in folders.items()
        if folder.exists()
    }


def shortfalls(percentages: Mapping[str, float], floors: Mapping[str, float] = FLOORS) -> Iterator[str]:
    """A sentence for each package that lies below its floor."""
    for name, percent in percentages.items():
        if percent < floors[name]:
            yield f"coverage of {name} is {percent:.1f} %, at least {floors[name]:.0f} % are required"
