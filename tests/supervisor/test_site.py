"""What a node occupies."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from sluicegate.control.channel import Plan
from sluicegate.supervisor.address import AddressError
from sluicegate.supervisor.orders import Orders
from sluicegate.supervisor.pid_file import AlreadyRunningError, running_process
from sluicegate.supervisor.run_directory import LONGEST_SOCKET_PATH, PID_FILE
from sluicegate.supervisor.site import Site


def test_everything_is_occupied_and_left(plan: Plan, tmp_path: Path) -> None:
    """Address, data directory and the extra pid file are held until the node leaves."""
    lock, extra = tmp_path / "data" / "run" / PID_FILE, tmp_path / "extra.pid"
    site = Site(plan, Orders(pid_file=str(extra)), {})
    assert running_process(lock) == running_process(extra) == os.getpid()
    assert f"{site.host}:{site.port}" in repr(site)
    site.leave()
    assert not lock.exists()
    assert not extra.exists()
    with socket.create_server((site.host, site.port)):
        pass


def test_second_node_on_the_same_data_learns_of_the_first(plan: Plan) -> None:
    """The message says which process it is and how to stop it, before it complains of the address."""
    site = Site(plan, Orders(), {})
    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}: .*sluicegate stop --data-dir"):
        Site(replace(plan, port=site.port), Orders(), {})
    site.leave()


def test_nothing_stays_occupied_after_a_refusal(plan: Plan, tmp_path: Path) -> None:
    """Where the address is taken, the data directory is free again."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(AddressError):
        Site(replace(plan, port=other.getsockname()[1]), Orders(), {})
    Site(plan, Orders(), {}).leave()


def test_useless_data_directory_is_named(plan: Plan, tmp_path: Path) -> None:
    """A file where the directory should be is an error that says so."""
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match=r"^cannot use the data directory: .*data'; name another with --data-dir$"):
        Site(plan, Orders(), {})


def test_sockets_of_a_deep_directory_go_to_the_runtime_directory(plan: Plan, tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR is the user's own place for sockets."""
    runtime = tmp_path / "r"
    runtime.mkdir()
    deep = replace(plan, data_dir=str(tmp_path / ("x" * LONGEST_SOCKET_PATH)))
    site = Site(deep, Orders(), {"XDG_RUNTIME_DIR": str(runtime)})
    assert site.sockets.link.parent.parent == runtime
    site.leave()
