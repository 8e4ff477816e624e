"""What is said of a group of readers."""

import subprocess
import sys

from sluicegate.events.stream_group import GroupStanding


def test_it_is_known_without_the_library() -> None:
    """Whoever only shows how a group stands does not load what asks for it."""
    program = "import sys, sluicegate.events.stream_group; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
    assert GroupStanding(None, 2) != GroupStanding(0, 2)
