"""Which file the configuration comes from."""

from pathlib import Path

import pytest

from sluicegate.config.source import BESIDE, chosen_file, named_file

ENVIRONMENT = {"SLUICEGATE_CONFIG": "/named.yaml"}


@pytest.mark.parametrize(
    ("path", "environment", "expected"),
    [
        (Path("flag.yaml"), ENVIRONMENT, Path("flag.yaml")),
        (None, ENVIRONMENT, Path("/named.yaml")),
        (None, {"SLUICEGATE_CONFIG": ""}, None),
        (None, {}, None),
    ],
)
def test_flag_counts_before_the_variable(
    path: Path | None, environment: dict[str, str], expected: Path | None, tmp_path: Path
) -> None:
    """The command line names the file, else the variable, an empty one counting as unset; else nobody does."""
    assert named_file(path, environment) == chosen_file(path, environment, tmp_path) == expected


def test_file_in_the_directory_counts_where_none_is_named(tmp_path: Path) -> None:
    """`sluicegate.yaml` needs no naming; a named file counts before it, and a directory of that name is no file."""
    (tmp_path / BESIDE).mkdir()
    assert chosen_file(None, {}, tmp_path) is None
    (tmp_path / BESIDE).rmdir()
    (tmp_path / BESIDE).touch()
    assert chosen_file(None, {}, tmp_path) == tmp_path / BESIDE
    assert chosen_file(None, ENVIRONMENT, tmp_path) == Path("/named.yaml")


def test_working_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands look where they were started."""
    monkeypatch.chdir(tmp_path)
    assert chosen_file(None, {}) is None
    Path(BESIDE).touch()
    assert chosen_file(None, {}) == Path(BESIDE)
