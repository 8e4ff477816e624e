"""Files that say which process runs."""

import os
from pathlib import Path, PosixPath

import pytest

from sluicegate.supervisor.pid_file import AlreadyRunningError, PidFile, running_process


def test_file_names_the_process_that_holds_it(tmp_path: Path) -> None:
    """As long as it is held, it can be asked; afterwards it is gone."""
    path = tmp_path / "a.pid"
    held = PidFile(path, 4711)
    assert path.read_text() == "4711\n"
    assert running_process(path) == 4711
    assert repr(held) == f"<PidFile {path}>"
    held.remove()
    assert running_process(path) is None
    assert not path.exists()


def test_second_holder_is_refused(tmp_path: Path) -> None:
    """The refusal says who holds it and what to do."""
    held = PidFile(tmp_path / "a.pid", 4711)
    with pytest.raises(AlreadyRunningError, match=r"already running as process 4711: .*a\.pid is locked") as refused:
        PidFile(tmp_path / "a.pid", 4712)
    assert refused.value.process == 4711
    assert running_process(tmp_path / "a.pid") == 4711
    held.remove()


def test_advice_is_part_of_the_refusal(tmp_path: Path) -> None:
    """A number that is not written yet is left out, advice follows the fact."""
    error = AlreadyRunningError(tmp_path, None, advice="stop it")
    assert str(error) == f"already running: {tmp_path} is locked; stop it"


def test_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """What a crash left behind names nobody, even if that number runs again."""
    path = tmp_path / "a.pid"
    path.write_text(f"{os.getpid()}99999\n")
    assert running_process(path) is None
    PidFile(path, 1).remove()


def test_longer_number_is_overwritten_whole(tmp_path: Path) -> None:
    """Nothing of the predecessor's number is left."""
    path = tmp_path / "a.pid"
    path.write_text("123456789\n")
    held = PidFile(path, 1)
    assert path.read_text() == "1\n"
    held.remove()


def test_file_without_a_number_is_held_by_nobody_known(tmp_path: Path) -> None:
    """Between locking and writing, the number cannot be told."""
    held = PidFile(tmp_path / "a.pid", 1)
    (tmp_path / "a.pid").write_text("")
    assert running_process(tmp_path / "a.pid") is None
    with pytest.raises(AlreadyRunningError, match="already running: "):
        PidFile(tmp_path / "a.pid", 2)
    held.remove()


def test_children_do_not_hold_it(tmp_path: Path) -> None:
    """An orphaned worker must not make the node look alive."""
    held = PidFile(tmp_path / "a.pid", 1)
    assert not os.get_inheritable(held._descriptor)
    held.remove()


def test_file_removed_between_opening_and_locking(tmp_path: Path) -> None:
    """A lock on a file that has lost its name is worth nothing: the file is made anew."""
    unlinked: list[int] = []

    class Vanishing(PosixPath):
        """A path whose file is removed by its last owner just before we look."""

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            """Remove it, once."""
            if not unlinked:
                unlinked.append(1)
                os.unlink(self)
            return super().stat(follow_symlinks=follow_symlinks)

    held = PidFile(Vanishing(tmp_path / "a.pid"), 7)
    assert running_process(tmp_path / "a.pid") == 7
    held.remove()
