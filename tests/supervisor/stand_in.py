"""Processes that stand in for control, worker and mock: quick to start, and they do what a test wrote for them.

`stand_in.py control DIRECTORY …`: says what is in DIRECTORY/plan, line by line, and ends if that is a refusal. With a
plan it waits for the word to begin, tells which workers come to its link, and writes down what it hears.
`stand_in.py worker …`: introduces itself at the link and lives until a signal or the end of its lifeline.
`stand_in.py mock …`, `stand_in.py die`: live so too, or do not. `stand_in.py mute`: a control that says nothing.
`stand_in.py hung FILE …`: a worker that gives one sign of life; asked where it hangs, it writes to FILE.
"""

import json
import mmap
import os
import selectors
import signal
import socket
import sys
from pathlib import Path


def flag(name: str) -> str:
    """The value of a flag."""
    return next(text for text in sys.argv if text.startswith(f"--{name}=")).partition("=")[2]


def control(directory: Path) -> None:
    """Play control."""
    channel = socket.socket(fileno=int(flag("channel")))
    words = (directory / "plan").read_text()
    channel.sendall(words.encode())
    if '"plan"' not in words:
        return
    heard = channel.makefile("r")
    go = json.loads(heard.readline())
    with (directory / "heard").open("a") as file:
        file.write(json.dumps(go) + "\n")
    link = socket.socket(socket.AF_UNIX)
    Path(go["link"]).unlink(missing_ok=True)
    link.bind(go["link"])
    link.listen()
    channel.sendall(b'{"type": "serving"}\n')
    selector = selectors.DefaultSelector()
    selector.register(channel, selectors.EVENT_READ)
    selector.register(link, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is link:
                worker, process = link.accept()[0].makefile("r").readline().split()
                ready = {"type": "worker_ready", "worker": int(worker), "pid": int(process)}
                channel.sendall(json.dumps(ready).encode() + b"\n")
            else:
                text = heard.readline()
                if not text:
                    return
                with (directory / "heard").open("a") as file:
                    file.write(text)
                if (directory / "answer").exists():
                    channel.sendall((directory / "answer").read_bytes())


def live() -> None:
    """End with the lifeline, or by a signal."""
    lifeline = int(flag("lifeline"))
    while os.read(lifeline, 1):
        pass


def hang() -> None:
    """Give one sign of life and no more, and tell who asks where."""
    descriptor, place = map(int, flag("pulse").split(":"))
    said = Path(sys.argv[2])
    signal.signal(signal.SIGUSR1, lambda number, frame: said.write_text("here"))
    mmap.mmap(descriptor, 4096)[place] = 1
    introduce()
    while True:
        signal.pause()


def introduce() -> None:
    """Have control know this worker."""
    connection = socket.socket(socket.AF_UNIX)
    while connection.connect_ex(flag("link")):
        os.sched_yield()
    connection.sendall(f"{flag('worker')} {os.getpid()}\n".encode())


def worker() -> None:
    """Play a worker."""
    introduce()
    live()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    match sys.argv[1]:
        case "control":
            control(Path(sys.argv[2]))
        case "worker":
            worker()
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            worker()
        case "mute":
            signal.pause()
        case "hung":
            hang()
        case "mock":
            live()
        case _:
            sys.exit(3)
