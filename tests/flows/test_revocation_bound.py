"""After a revocation and its bound nobody is admitted: nodes, workers and a database under a seeded scheduler.

Everything that decides is real: the stage `authenticate`, the worker's cache, control's lookups and announcements, the
change feed. What is played is what only carries: the database, which reads and answers when the scheduler says so,
the links, which deliver when it says so, and the clock. A seed decides the order.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from sluicegate.control.resolution.resolution import Resolution
from sluicegate.control.resolution.uses import Uses, counter
from sluicegate.domain.errors import GatewayError
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Change
from sluicegate.events.reader import SegmentReader
from sluicegate.gateway.principals import Principals
from sluicegate.gateway.services import NOBODY
from sluicegate.gateway.stages.authenticate import authenticate

BOUND = 1.0
GRACE = 30.0
TOKENS = (b"a" * 32, b"b" * 32)
Step = tuple[str, Callable[[], None]]
LOG = structlog.wrap_logger(None, processors=[lambda _logger, _name, _event: _drop()])


def _drop() -> Any:
    raise structlog.DropEvent


@dataclass
class Operation:
    """A question to the database: it reads at one moment and answers at a later one."""

    kind: str
    read: Callable[[], Any]
    future: "asyncio.Future[Any]"
    has_read: bool = False
    result: Any = None


class Database:
    """Linearizable: what is committed is seen by every read that comes later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.revoked_at: dict[bytes, float] = {}
        self.log: list[Change] = []
        self.operations: list[Operation] = []

    def commit(self, digest: bytes, now: float, *, is_revocation: bool) -> None:
        """Change a token, and append to the change log."""
        if is_revocation:
            self.revoked_at.setdefault(digest, now)
        else:
            self.revoked_at.pop(digest, None)
        self.log.append(Change(sequence=len(self.log) + 1, at=0, digest=digest))

    def ask(self, kind: str, read: Callable[[], Any]) -> "asyncio.Future[Any]":
        """Begin a question."""
        future = self.loop.create_future()
        self.operations.append(Operation(kind, read, future))
        return future

    async def query(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """Look tokens up."""
        answer: dict[bytes, Principal] = await self.ask(
            "tokens", lambda: {each: Principal("tok", is_active=each not in self.revoked_at) for each in digests}
        )
        return answer

    async def last(self) -> int:
        """The newest change."""
        number: int = await self.ask("changes", lambda: len(self.log))
        return number

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """The changes after that one."""
        changes: Sequence[Change] = await self.ask("changes", lambda: self.log[sequence : sequence + limit])
        return changes

    async def prune(self, before: int) -> None:
        """Keep everything."""

    def version(self) -> None:
        """Like a server's database: only a look can tell."""

    def close(self) -> None:
        """Nothing is held open."""


class Link:
    """Both directions of a worker's link, each in order."""

    def __init__(self) -> None:
        self.down: deque[Callable[[], None]] = deque()
        self.up: deque[Callable[[], None]] = deque()


@dataclass
class Pending:
    """A change under way on one node."""

    digest: bytes
    is_revocation: bool
    announcing: AbstractContextManager[None]
    is_committed: bool = False


class Worker:
    """A worker's cache and its requests."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.link: Link | None = None
        self.control: Control | None = None
        self.principals = Principals(self, clock=lambda: world.now, loop=world.loop)

    def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
        """Send a question over the link that stands, if one does."""
        link, control = self.link, self.control
        if link is not None and control is not None:
            link.up.append(lambda: control.asked(self, link, digest))

    def request(self, digest: bytes) -> None:
        """A client comes with this token."""
        self.advance(Request(self, digest))

    def advance(self, request: "Request") -> None:
        """Run the stage, again and again until it has decided."""
        try:
            waits = authenticate(cast("Any", request))
        except GatewayError:
            return
        if waits is None:
            self.world.admitted(request)
        else:
            waits.add_done_callback(lambda future: self.answered(request, future))

    def answered(self, request: "Request", future: "asyncio.Future[Any]") -> None:
        """Go on, unless it was refused."""
        if future.exception() is None:
            self.advance(request)


class Head:
    """As much of a request's head as the stage looks at."""

    def __init__(self, digest: bytes) -> None:
        self.credential_digest = digest

    def credential(self) -> bytes:
        """The token itself is not looked at."""
        return b"x"


class Request:
    """As much of an exchange as the stage looks at."""

    def __init__(self, worker: Worker, digest: bytes) -> None:
        self.route = SimpleNamespace(kind="model", refusal=None)
        self.head = Head(digest)
        self.services = self
        self.principals = worker.principals
        self.clock = lambda: worker.world.now
        self.wall = self.clock
        self.client = self
        self.address = "203.0.113.9"
        self.started = worker.world.now
        self.principal = NOBODY


class Control:
    """One control process: real resolution on the played database."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.links: dict[Worker, Link] = {}
        self.is_dead = False
        self.changes: list[Pending] = []
        self.resolution = Resolution(
            declared=(),
            query=world.database.query,
            changes=world.database,
            uses=lambda announce: counter(
                Uses(add=cast("Any", None), announce=announce),
                SegmentReader(world.directory),
                cast("Any", None),
                clock=lambda: world.now,
                log=LOG,
            ),
            is_shared=world.is_shared,
            clock=lambda: world.now,
            now=lambda: int(world.now * 1000),
            log=LOG,
        )
        self.resolution.speak_through(self)
        self.tasks = [world.loop.create_task(self.resolution._stored.run(pause=lambda: asyncio.sleep(0)))]
        self.look: asyncio.Task[None] | None = None

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Reach all workers."""
        for worker, link in self.links.items():
            link.down.append(partial(worker.principals.forget, tuple(digests or ())))

    def tell_feed(self) -> None:
        """Reach all workers."""
        feed = self.resolution.feed()
        for worker, link in self.links.items():
            link.down.append(partial(worker.principals.feed_true, feed.as_of, feed.lease))

    def asked(self, worker: Worker, link: Link, digest: bytes) -> None:
        """A question arrived."""

        def answer(principal: Principal | None) -> None:
            if not self.is_dead and self.links.get(worker) is link:
                link.down.append(lambda: worker.principals.learn(digest, principal))

        self.resolution.directory.find(digest, answer)

    def connect(self, worker: Worker) -> None:
        """A worker's new link: it is configured, and told what it may believe, in one frame."""
        worker.link = self.links[worker] = link = Link()
        worker.control = self
        feed = self.resolution.feed()

        def configured() -> None:
            worker.principals.feed_restored()
            worker.principals.feed_true(feed.as_of, feed.lease)

        link.down.append(configured)

    def kill(self) -> None:
        """Be gone; what is committed stays, what was said stays said."""
        self.is_dead = True
        for task in (*self.tasks, *([self.look] if self.look else [])):
            task.cancel()


@dataclass
class Node:
    """A control process, when there is one, and its workers."""

    workers: list[Worker]
    control: Control | None = None


class World:
    """Nodes and what may happen to them. Where nodes share a database there are two, else one."""

    def __init__(self, seed: int, directory: Path, *, is_shared: bool) -> None:
        self.random = random.Random(seed)
        self.directory = directory
        self.is_shared = is_shared
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.database = Database(self.loop)
        self.admissions = 0
        self.violations: list[str] = []
        self.history: deque[str] = deque(maxlen=60)
        self.nodes = [Node([Worker(self), Worker(self)]) for _ in range(2 if is_shared else 1)]
        for node in self.nodes:
            self.start_control(node)

    def start_control(self, node: Node) -> None:
        node.control = Control(self)
        for worker in node.workers:
            node.control.connect(worker)
        self.settle()

    def close(self) -> None:
        """Leave nothing behind."""
        for node in self.nodes:
            self.kill(node)
        self.loop.close()

    def settle(self) -> None:
        """Let the loop go round six times, in one run: to begin one takes longer than what it does here."""
        self.loop.call_soon(self.go_round, 5)
        self.loop.run_forever()

    def go_round(self, more: int) -> None:
        if more:
            self.loop.call_soon(self.go_round, more - 1)
        else:
            self.loop.stop()

    def admitted(self, request: Request) -> None:
        """The property: no token is admitted longer than the bound after its revocation was committed."""
        self.admissions += 1
        revoked_at = self.database.revoked_at.get(request.head.credential_digest)
        if revoked_at is not None and self.now - revoked_at > BOUND:
            self.violations.append(f"admitted {self.now - revoked_at:.2f} s after its revocation")

    @property
    def workers(self) -> list[Worker]:
        return [worker for node in self.nodes for worker in node.workers]

    # -- what may happen; each is one step of the scheduler

    def step(self) -> None:
        """Do one thing, chosen by weight."""
        (action,) = self.random.choices(list(ACTIONS), weights=list(ACTIONS.values()))
        self.history.append(f"{self.now:.2f} {action}")
        getattr(self, action)(self.random.choice(self.nodes))
        self.settle()
        for node in self.nodes:
            assert node.control is None or not any(task.done() for task in node.control.tasks), "a task has ended"

    def request(self, node: Node) -> None:
        """A request arrives."""
        self.random.choice(node.workers).request(self.random.choice(TOKENS))

    def begin_change(self, node: Node) -> None:
        """A change is about to be committed: those it concerns are told."""
        self.change(node, self.random.choice(TOKENS), is_revocation=self.random.random() < 0.85)

    def change(self, node: Node, token: bytes, *, is_revocation: bool) -> None:
        if node.control is not None:
            change = Pending(token, is_revocation, node.control.resolution.announcing([token]))
            change.announcing.__enter__()
            node.control.changes.append(change)

    def commit(self, node: Node) -> None:
        """It is committed; the process does not know yet."""
        for change in node.control.changes if node.control else ():
            if not change.is_committed:
                change.is_committed = True
                self.database.commit(change.digest, self.now, is_revocation=change.is_revocation)

    def end_change(self, node: Node) -> None:
        """The process learns of it, and announces it. A change that was not committed was rolled back."""
        while node.control is not None and node.control.changes:
            node.control.changes.pop(0).announcing.__exit__(None, None, None)

    def read(self, node: Node) -> None:
        """The database takes its snapshot for a question."""
        if self.database.operations:
            operation = self.random.choice(self.database.operations)
            if not operation.has_read:
                operation.has_read, operation.result = True, operation.read()

    def answer(self, node: Node) -> None:
        """Its answer arrives, or an error."""
        if self.database.operations:
            self.answer_one(self.random.choice(self.database.operations), fails=self.random.random() < 0.2)

    def answer_one(self, operation: Operation, *, fails: bool = False) -> None:
        self.database.operations.remove(operation)
        if operation.future.done():
            return
        if fails:
            operation.future.set_exception(TimeoutError())
        else:
            operation.future.set_result(operation.result if operation.has_read else operation.read())
        self.settle()

    def answer_all(self, node: Node) -> None:
        """The database is quick for a while."""
        for _ in range(12):
            if self.database.operations:
                self.answer_one(self.database.operations[0])

    def look(self, node: Node) -> None:
        """It is time to look into the change log."""
        control = node.control
        if control is not None and (control.look is None or control.look.done()):
            control.look = self.loop.create_task(control.resolution._changes.look())
            self.settle()

    def deliver(self, node: Node) -> None:
        """Some messages arrive."""
        link = self.random.choice(node.workers).link
        if link is not None:
            self.carry(self.random.choice((link.up, link.down)), self.random.randint(1, 4))

    def deliver_all(self, node: Node) -> None:
        """Everything under way arrives."""
        for worker in self.workers:
            if worker.link is not None:
                self.carry(worker.link.up, len(worker.link.up))
                self.carry(worker.link.down, len(worker.link.down))

    def carry(self, queue: deque[Callable[[], None]], count: int) -> None:
        # Mostly there is nothing under way, and so nothing to settle.
        if queue:
            for _ in range(min(count, len(queue))):
                queue.popleft()()
            self.settle()

    def cut(self, node: Node) -> None:
        """A link breaks, with what was under way.

        On one machine it is back at once, where control lives: that control commits a change and dies in the 20 ms
        between is the one case in which a node of its own may exceed the bound (docs/decisions/0003).
        """
        self.cut_link(node, self.random.choice(node.workers))
        if not self.is_shared:
            self.reconnect(node)

    def cut_link(self, node: Node, worker: Worker) -> None:
        link = worker.link
        if link is None:
            return
        if not self.is_shared:
            # A Unix socket's reader gets what was written, also after the writer's death.
            self.carry(link.down, len(link.down))
        worker.link = None
        if node.control is not None:
            node.control.links.pop(worker, None)
        worker.principals.feed_cut(GRACE)

    def reconnect(self, node: Node) -> None:
        """Workers without a link come back."""
        for worker in node.workers:
            if worker.link is None and node.control is not None:
                node.control.connect(worker)

    def kill(self, node: Node) -> None:
        """Control dies, at whatever it was."""
        if node.control is not None:
            node.control.kill()
            for worker in node.workers:
                self.cut_link(node, worker)
            node.control = None
            self.settle()

    def restart(self, node: Node) -> None:
        """The supervisor brings control back."""
        if node.control is None:
            self.start_control(node)

    def wait(self, node: Node) -> None:
        """Time passes."""
        self.passes(self.random.choice((0.01, 0.05, 0.1, 0.3)))

    def passes(self, seconds: float) -> None:
        if not self.is_shared:
            # On one machine: a link that control could serve is back at once, and nothing is under way for long.
            self.reconnect(self.nodes[0])
            self.deliver_all(self.nodes[0])
        self.now += seconds
        for worker in self.workers:
            worker.principals.sweep(self.now)
        self.settle()

    # -- the course of a run

    def episode(self) -> None:
        """All is well; then anything may happen, revocations above all; then it is looked at who is still admitted."""
        self.history.append("-- well")
        self.settle_down()
        if self.random.random() < 0.6:
            self.race()
        else:
            for _ in range(self.random.randint(2, 25)):
                self.step()
        missing = self.random.choice((None, *PARTS, *PARTS))
        self.history.append(f"{self.now:.2f} calm without {missing}")
        is_busy = self.random.random() < 0.5
        for _ in range(self.random.randint(4, 8)):
            for part in PARTS * 2:
                if part != missing:
                    for node in self.nodes:
                        getattr(self, part)(node)
            if is_busy:
                self.everybody_comes()
            self.passes(self.random.choice((0.05, 0.21, 0.3, 0.45)))
            if self.random.random() < 0.3:
                self.step()
        self.everybody_comes()
        # A worker admits some requests only once their answers are in.
        self.answer_all(self.nodes[0])
        self.deliver_all(self.nodes[0])
        assert not self.violations, "\n".join([*self.history, *self.violations])

    def race(self) -> None:
        """A request, a revocation and the feed, each in its own order, interleaved by chance; and accidents."""
        asking, changing = self.random.choice(self.nodes), self.random.choice(self.nodes)
        worker, token = self.random.choice(asking.workers), self.random.choice(TOKENS)
        if self.random.random() < 0.3:
            self.kill(asking)
            self.start_control(asking)
        worker.principals.forget((token,))
        threads: list[list[Step]] = [
            [
                ("request", lambda: worker.request(token)),
                ("deliver question", lambda: self.deliver_all_of(worker, up=True)),
                ("read tokens", lambda: self.read_all("tokens")),
                ("answer tokens", lambda: self.answer_kind("tokens")),
                ("deliver", lambda: self.deliver_all_of(worker, up=False)),
            ],
            [
                ("begin change", lambda: self.change(changing, token, is_revocation=True)),
                ("commit", lambda: self.commit(changing)),
                ("end change", lambda: self.end_change(changing)),
            ],
            [
                ("look", lambda: self.look(asking)),
                ("read changes", lambda: self.read_all("changes")),
                ("answer changes", lambda: self.answer_kind("changes")),
                ("deliver", lambda: self.deliver_all_of(worker, up=False)),
            ],
        ]
        if self.random.random() < 0.4:
            threads.append([(name, partial(getattr(self, name), asking)) for name in self.random.sample(ACCIDENTS, 1)])
        for name, action in self.interleaved(threads):
            self.history.append(f"{self.now:.2f} {name}")
            action()
            self.settle()
            if self.random.random() < 0.15:
                self.wait(asking)

    def interleaved(self, threads: list[list[Step]]) -> list[Step]:
        """The steps of all, mixed by chance. Mostly one is held up somewhere until the others are through."""
        late: list[Step] = []
        steps: list[Step] = []
        if self.random.random() < 0.7:
            held_up = threads.pop(self.random.randrange(len(threads)))
            at = self.random.randint(0, len(held_up))
            steps, late = held_up[:at], held_up[at:]
        threads = [list(thread) for thread in threads]
        while threads:
            thread = self.random.choice(threads)
            steps.append(thread.pop(0))
            threads = [each for each in threads if each]
        return steps + late

    def deliver_all_of(self, worker: Worker, *, up: bool) -> None:
        if worker.link is not None:
            queue = worker.link.up if up else worker.link.down
            self.carry(queue, len(queue))

    def read_all(self, kind: str) -> None:
        for operation in self.database.operations:
            if operation.kind == kind and not operation.has_read:
                operation.has_read, operation.result = True, operation.read()

    def answer_kind(self, kind: str) -> None:
        for operation in [each for each in self.database.operations if each.kind == kind]:
            self.answer_one(operation)

    def settle_down(self) -> None:
        """Everything works, all tokens are good again, and most of them are known to most workers."""
        for node in self.nodes:
            self.restart(node)
            self.reconnect(node)
            self.end_change(node)
        for token in TOKENS:
            self.database.commit(token, self.now, is_revocation=False)
        for _ in range(3):
            for part in PARTS * 2:
                for node in self.nodes:
                    getattr(self, part)(node)
            for worker in self.workers:
                for token in TOKENS:
                    if self.random.random() < 0.6:
                        worker.request(token)
            self.passes(0.01)

    def everybody_comes(self) -> None:
        """Every token is tried at every worker."""
        for worker in self.workers:
            for token in TOKENS:
                worker.request(token)
        self.settle()


ACCIDENTS = ("kill", "cut", "reconnect", "restart")
PARTS = ("end_change", "look", "deliver_all", "answer_all", "deliver_all")
"""What is done all the time while all is well."""

ACTIONS = {
    "request": 12,
    "begin_change": 4,
    "commit": 4,
    "end_change": 2,
    "read": 4,
    "answer": 4,
    "answer_all": 1,
    "look": 2,
    "deliver": 8,
    "deliver_all": 1,
    "cut": 0.4,
    "reconnect": 1,
    "kill": 0.4,
    "restart": 1,
    "wait": 3,
}
"""What may happen, and how often in comparison."""


@pytest.mark.parametrize("is_shared", [True, False], ids=["two nodes", "one node"])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_admits_a_revoked_token_after_the_bound(seed: int, is_shared: bool, tmp_path: Path) -> None:
    """Whatever is slow, cut or killed: between a question and its answer, between a commit and its announcement."""
    admissions = 0
    for run in range(10):
        world = World(1000 * seed + run, tmp_path, is_shared=is_shared)
        try:
            for _ in range(8):
                world.episode()
        finally:
            world.close()
        admissions += world.admissions
    assert admissions > 500, "the world must serve, or it shows nothing"
