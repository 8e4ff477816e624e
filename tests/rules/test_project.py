"""What the rules look at must be all of it."""

import pytest

from tests.rules.project import PACKAGE, Source, files, is_ignored, program, refuse, suite


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("src/__pycache__/", "__pycache__/", True),
        ("src/a.pyc", "*.pyc", True),
        (".coverage.host.1", ".coverage*", True),
        ("data/", "/data/", True),
        ("src/data/", "/data/", False),
        ("src/data.py", "data/", False),
        (".env.example", ".env", False),
    ],
)
def test_ignore_patterns(path: str, pattern: str, expected: bool) -> None:
    """A pattern covers what Git would ignore by it."""
    assert is_ignored(path, [pattern]) is expected


def test_rules_see_the_sources() -> None:
    """The program and the tests are found, and nothing that was installed or cached."""
    assert f"{PACKAGE}/cli/main.py" in {source.path for source in program()}
    assert "tests/rules/test_project.py" in {source.path for source in suite()}
    assert not [path for path in files() if {".git", ".venv", "__pycache__"} & set(path.parts)]


def test_findings_name_a_place() -> None:
    """A finding starts with file and line, and the message ends with what to do."""
    source = Source("src/a.py", "x = 1  # why\n")
    with pytest.raises(pytest.fail.Exception) as failure:
        refuse([source.at(1, "is wrong")], "mend it")
    assert str(failure.value).splitlines() == ["", "  src/a.py:1: is wrong", "  -> mend it"]
    refuse([], "there is nothing to mend")
    assert source.comments == {1: "# why"}
