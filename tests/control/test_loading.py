"""Where the configuration comes from."""

from pathlib import Path

import pytest

from sluicegate.config.layers import Demo, Overrides
from sluicegate.config.problem import ConfigurationError
from sluicegate.control.loading import Sources
from sluicegate.dialects.table import DIALECTS
from tests.control.conftest import MINIMAL, WriteSources


def test_file_is_loaded_with_the_version(write: WriteSources) -> None:
    """Loading compiles the file under the version that is asked for."""
    compiled = write(MINIMAL).load(7)
    assert compiled.snapshot.version == 7
    assert [provider.name for provider in compiled.snapshot.providers] == ["first"]


def test_drain_time_of_the_command_line_counts(write: WriteSources, tmp_path: Path) -> None:
    """It overrides the file's, in what is in force and in what is shown."""
    write(MINIMAL + "server: {drain_seconds: 5}\n")
    path = tmp_path / "sluicegate.yaml"
    for given, expected in ((None, 5), (0.5, 0.5)):
        compiled = Sources(path, {}, Overrides(drain_seconds=given), DIALECTS).load(1)
        assert compiled.snapshot.drain_seconds == compiled.settings.server.drain_seconds == expected


def test_broken_file_is_refused(write: WriteSources) -> None:
    """Loading raises with every problem."""
    with pytest.raises(ConfigurationError, match=r"sluicegate\.yaml:1: nonsense"):
        write("nonsense: 1").load(1)


@pytest.mark.parametrize(
    ("sources", "described", "file"),
    [
        (Sources(None, {}, Overrides(), DIALECTS), "environment only, no file", None),
        (Sources(Path("/a.yaml"), {}, Overrides(), DIALECTS), "/a.yaml", Path("/a.yaml")),
        (Sources(None, {"SLUICEGATE_CONFIG": "/b.yaml"}, Overrides(), DIALECTS), "/b.yaml", Path("/b.yaml")),
        (
            Sources(Path("/a.yaml"), {}, Overrides(demo=Demo("http://127.0.0.1:1/v1", "secret-token")), DIALECTS),
            "demo: a mock provider in place of real ones",
            None,
        ),
    ],
)
def test_sources_are_told_in_words(sources: Sources, described: str, file: Path | None) -> None:
    """People learn which file counts, or that none does; no secret is told."""
    assert (sources.described, sources.file) == (described, file)
    assert repr(sources) == f"<Sources {described}>"


def test_relative_file_is_told_in_full() -> None:
    """A path relative to the working directory is told as an absolute one."""
    assert Sources(Path("a.yaml"), {}, Overrides(), DIALECTS).described == str(Path.cwd() / "a.yaml")
