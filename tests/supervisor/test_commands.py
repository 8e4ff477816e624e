"""Command lines of the processes."""

from dataclasses import replace

from sluicegate.control.channel import Plan
from sluicegate.supervisor.commands import Programs, control_command, mock_command, worker_command
from sluicegate.supervisor.orders import Orders
from sluicegate.supervisor.site import Site


def test_control_gets_the_flags_and_its_descriptors() -> None:
    """What `serve` was told about the configuration is passed on, its own affairs are not."""
    orders = Orders(config="a.yaml", port=81, daemon=True)
    command = control_command(("control",), orders, channel=5, last_good=6, pulse="8:0", demo_url=None)
    assert command == ["control", "--config=a.yaml", "--port=81", "--channel=5", "--last-good=6", "--pulse=8:0"]


def test_control_learns_of_the_demo() -> None:
    """The mock's address is a flag; the token is not, for every user can read command lines."""
    demo = "http://127.0.0.1:1/v1"
    command = control_command(("control",), Orders(demo=True), channel=5, last_good=6, pulse="8:0", demo_url=demo)
    assert command[1] == "--demo-url=http://127.0.0.1:1/v1"


def test_worker_gets_all_it_needs(plan: Plan) -> None:
    """A worker reads no configuration: address, sockets and directories are in its command line."""
    site = Site(plan, Orders(), {})
    command = worker_command(("worker",), site, index=1, lifeline=7, pulse="8:2")
    assert command == [
        "worker",
        "--worker=1",
        "--host=127.0.0.1",
        f"--port={site.port}",
        f"--link={site.sockets.link}",
        f"--control={site.sockets.http}",
        f"--events={plan.data_dir}/events",
        "--lifeline=7",
        "--pulse=8:2",
    ]
    site.leave()


def test_worker_gets_the_certificate(plan: Plan) -> None:
    """Where the gateway speaks TLS, so does each worker."""
    site = Site(replace(plan, certificate="/c.pem", key="/k.pem"), Orders(), {})
    command = worker_command(("worker",), site, index=0, lifeline=7, pulse="8:1")
    assert command[-2:] == ["--tls-certificate=/c.pem", "--tls-key=/k.pem"]
    site.leave()


def test_mock_serves_the_open_socket() -> None:
    """The mock is started as from the command line, on a socket that outlives it."""
    assert mock_command(("mock",), listener=4, lifeline=7) == ["mock", "--fd=4", "--lifeline=7", "--quiet"]


def test_programs_ignore_the_working_directory() -> None:
    """A file `json.py` that lies where the gateway is started must not become a part of it."""
    programs = Programs()
    assert all(program[1] == "-P" for program in (programs.control, programs.worker, programs.mock))
