"""How many files the processes of a node may have open."""

import resource
import subprocess
import sys

from sluicegate.supervisor.descriptors import FEW, raise_limit, warning

PROGRAM = """
import resource, subprocess, sys
from sluicegate.supervisor.descriptors import raise_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(raise_limit() == hard, raise_limit() == hard, flush=True)
child = "import resource, sys; print(resource.getrlimit(resource.RLIMIT_NOFILE) == (int(sys.argv[1]),) * 2)"
subprocess.run([sys.executable, "-c", child, str(hard)], check=True)
"""


def test_soft_limit_becomes_the_hard_one() -> None:
    """A low soft limit is raised as far as may be, once and again, and children have it too."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["True", "True", "True"], "")


def test_limit_is_told() -> None:
    """What is returned is what is in force, whether it had to be raised or not."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] // 2, before[1]))
    try:
        for _ in range(2):
            assert (raise_limit(),) * 2 == resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_only_too_small_a_limit_is_worth_a_word() -> None:
    """Usual hard limits are not; where one is, it is said what to do."""
    assert (warning(FEW), warning(20_000), warning(1 << 20)) == (None, None, None)
    text = warning(1_024)
    assert text is not None
    assert "only 1,024 files" in text
    assert "LimitNOFILE=" in text
    assert "server.limits.connections" in text
