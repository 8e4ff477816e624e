"""From requests through a stream in a real server to a file, by two dispatchers of which one is killed."""

import json
import subprocess
from pathlib import Path

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import SLUICEGATE, Gateway, environment
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.written import lines
from tests.ledger.valkey import Server


def is_done(gateway: Gateway) -> bool:
    """Whether the only sink that is left to dispatchers has all of its stream, as managers see it."""
    (told,) = Management(gateway).ask("GET", "/admin/consumers")[1]["dispatched"]
    assert (told["sink"], told["source"], told["stream"]) == ("out", "redis", "bridge")
    # A server that was killed may not know the lag of a group any more.
    return (told["lag_entries"] or 0, told["pending_entries"], told["error"]) == (0, 0, None)


def test_every_request_reaches_the_sink(start: Start, configuration: Path, tmp_path: Path) -> None:
    """Whichever of the processes between is killed, each request is in the file, and no message is left idle."""
    server, out = Server(), tmp_path / "out.jsonl"
    with configuration.open("a") as file:
        file.write(
            "sinks:\n"
            f"  bridge: {{type: redis, address: '{server.url}', stream: events, retries: {{longest_wait: 0.5}}}}\n"
            f"  out: {{type: file, path: {out}, run_by: dispatcher}}\n"
        )
    flags = [f"--config={configuration}", "--sink=out", "--from=redis", "--abandoned-after=1"]
    command = [*SLUICEGATE, "dispatcher", *flags, f"--data-dir={tmp_path / 'elsewhere'}"]
    replicas: list[subprocess.Popen[bytes]] = []
    try:
        server.start()
        gateway = start(f"--config={configuration}", MANAGEMENT_TOKEN=MANAGEMENT_TOKEN).until_ready()
        replicas += [subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) for _ in range(2)]
        assert [gateway.answers() for _ in range(20)] == [200] * 20
        eventually(out.exists)
        replicas[0].kill()
        assert [gateway.answers() for _ in range(10)] == [200] * 10
        server.kill()
        assert [gateway.answers() for _ in range(10)] == [200] * 10
        gateway.kill("control")
        server.start()
        eventually(lambda: len(gateway.events()) >= 40)
        expected = {event["request_id"] for event in gateway.events()}
        eventually(lambda: expected <= {json.loads(line)["request_id"] for line in lines(out)})
        # Control may send again what its predecessor had sent, and the server takes its time to tell.
        eventually(lambda: server.call("XINFO GROUPS", "events")[0]["pending"] == 0 and is_done(gateway))
    finally:
        for replica in replicas:
            replica.kill()
            replica.wait()
        server.remove()
