"""A start that does not succeed, on the real program."""

import os
from pathlib import Path

import pytest

from tests.e2e.program import run


@pytest.mark.parametrize("flags", [(), ("--daemon",)])
def test_control_that_hangs_ends_the_start(flags: tuple[str, ...], tmp_path: Path) -> None:
    """A configuration file that never comes to its end is not waited for: status 2, why, and where the log is."""
    file, log_file = tmp_path / "a.yaml", tmp_path / "log"
    os.mkfifo(file)
    done = run("serve", f"--config={file}", "--start-seconds=0.5", f"--log-file={log_file}", *flags)
    assert done.returncode == 2
    assert "the gateway was not ready within 0.5 s: still waiting for control" in done.stderr
    assert (f"see {log_file}" in done.stderr) is ("--daemon" in flags)
    log = log_file.read_text() if flags else done.stderr
    assert "not ready in time" in log
    assert '"event": "process ended", "name": "control"' in log
    assert not (tmp_path / "data").exists()
