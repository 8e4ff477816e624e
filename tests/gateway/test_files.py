"""That no file is left to open is said once, and that there are some again."""

import errno
import os
import resource

import pytest

from sluicegate.gateway.files import Files, probe


def test_what_is_said() -> None:
    """At the first look that fails for want of files, and at the first that does not any more."""
    said: list[str] = []
    answers: list[int | None] = [None, errno.EMFILE, errno.EMFILE, errno.EBADF, None, None, errno.ENFILE]
    told: list[int] = []

    def probing() -> None:
        number = answers.pop(0)
        if number is not None:
            raise OSError(number, os.strerror(number))

    files = Files(said.append, probing)
    while answers:
        files.sweep(0.0)
        told.append(len(said))
    assert told == [0, 1, 1, 1, 2, 2, 3]
    assert said[0].endswith("new clients are turned away: Too many open files; see ulimit -Hn")
    assert said[1] == "over: files can be opened again"
    assert repr(files) == "<Files none left>"
    assert repr(Files(said.append, probing)) == "<Files left>"


def test_the_system_says_when_there_is_none() -> None:
    """The limit is that of the process; a look leaves nothing open."""
    before = os.listdir("/proc/self/fd")
    probe()
    assert os.listdir("/proc/self/fd") == before
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            probe()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
