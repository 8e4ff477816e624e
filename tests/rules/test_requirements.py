"""The requirement files: what pyproject.toml asks for, pinned, hashed, and from no address in particular."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.project import ROOT, refuse

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([\w.!+-]+) \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")

_PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
"""The oldest Python we support, and others on whose version some package's needs depend."""


def pins(text: str) -> dict[str, str]:
    """Version by normalised name."""
    return {
        canonicalize_name(found.group(1)): found.group(2) for found in map(_PIN.fullmatch, text.splitlines()) if found
    }


def strange_lines(text: str) -> Iterator[str]:
    """Lines that are neither a pin, nor a hash, nor a comment: an option or an address."""
    for number, line in enumerate(text.splitlines(), 1):
        if not (_PIN.fullmatch(line) or _HASH.fullmatch(line) or line.lstrip().startswith("#")):
            yield f"{number}: {line}"


def unmet(wanted: list[str], pinned: dict[str, str]) -> list[str]:
    """Requirements for which nothing is pinned, or a version they do not allow."""
    requirements = [Requirement(text) for text in wanted]
    return [
        f"{requirement}, pinned: {pinned.get(canonicalize_name(requirement.name))}"
        for requirement in requirements
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), "0.dev0"), prereleases=True
        )
    ]


def unpinned(pinned: Iterable[str], needs: dict[str, list[str]]) -> list[str]:
    """What a pinned package needs on a Python we support, and nothing is pinned for.

    `needs` has the requirements of each package. pip refuses a file with hashes that lacks one.
    """
    known = set(pinned)
    return [
        f"{name} needs {requirement} on Python {python}"
        for name in sorted(known)
        for requirement in map(Requirement, needs.get(name, []))
        for python in _PYTHONS
        if canonicalize_name(requirement.name) not in known and _is_needed(requirement, python)
    ]


def _is_needed(requirement: Requirement, python: str) -> bool:
    environment = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_version": python,
        "extra": "",
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


def _needs(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def _wanted(file: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    by_file: dict[str, list[str]] = {
        "run": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
        **project["dependency-groups"],
    }
    return by_file[file]


def _text(file: str) -> str:
    return (ROOT / "requirements" / f"{file}.txt").read_text("utf-8")


@pytest.mark.parametrize("file", ["run", "build", "test", "model", "bench"])
def test_requirements_are_met(file: str) -> None:
    """What pyproject.toml asks for is pinned in the requirement file of that purpose, in a version it allows."""
    findings = unmet(_wanted(file), pins(_text(file)))
    refuse(findings, "run `make lock`")


@pytest.mark.parametrize("file", ["run", "build", "test", "model", "bench"])
def test_requirements_are_hashed_and_name_no_address(file: str) -> None:
    """A requirement file holds pins and their hashes, so that pip's own configuration says where to fetch them."""
    refuse(strange_lines(_text(file)), "run `make lock`")
    assert not re.search(r"\\\n(?!    --hash)", _text(file)), "a pin without a hash: run `make lock`"


def test_requirement_files_agree() -> None:
    """No two requirement files pin different versions of the same package, since all go into one environment."""
    versions: dict[str, set[str]] = {}
    for file in ("run", "build", "test", "model", "bench"):
        for name, version in pins(_text(file)).items():
            versions.setdefault(name, set()).add(version)
    findings = [f"{name}: {', '.join(sorted(found))}" for name, found in versions.items() if len(found) > 1]
    refuse(findings, "run `make lock`")


@pytest.mark.parametrize("file", ["run", "build", "test", "bench"])
def test_pins_serve_every_python(file: str) -> None:
    """What pinned packages need on any Python that we support is pinned too: `make lock` knows only its own."""
    pinned = pins(_text(file)).keys() | pins(_text("run")).keys()
    refuse(unpinned(pinned, {name: _needs(name) for name in pinned}), "run `make lock` with the oldest Python")


def test_unpinned_need_is_found() -> None:
    """One that only old releases of Python have, and none of an extra or of another system."""
    needs = {
        "one": ["Old>=1; python_full_version < '3.11.3'", "two", "fast; extra == 'fast'", "w; sys_platform == 'win32'"]
    }
    assert unpinned(["one", "two", "old"], needs) == []
    assert unpinned(["one", "two"], needs) == ['one needs Old>=1; python_full_version < "3.11.3" on Python 3.11.0']


def test_unmet_requirement_is_found() -> None:
    """A missing pin, one of a version not allowed, and an address are found."""
    text = "Some.Thing==1.5 \\\n    --hash=sha256:" + 64 * "0" + "\n    # via nothing\n"
    assert pins(text) == {"some-thing": "1.5"}
    assert not list(strange_lines(text))
    assert list(strange_lines("--find-links wheels\n")) == ["1: --find-links wheels"]
    assert unmet(["some_thing>=1.5"], pins(text)) == []
    assert unmet(["some_thing>=1.6", "other>=1"], pins(text)) == [
        "some_thing>=1.6, pinned: 1.5",
        "other>=1, pinned: None",
    ]
