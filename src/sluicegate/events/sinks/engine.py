"""One sink's deliveries: the loop that sends, waits and gives up as `decisions` has it.

A call of `deliver` returns when each of its events has arrived or is a dead letter. So whoever stores a checkpoint
after it has each event at least once: where the disk takes no dead letters, it waits until it does. Looks at the
journal are as far apart as a batch may wait, so nothing is held back in here between two calls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import FilterSettings
from sluicegate.events.sinks.base import DeliveryError, Event, PermanentError, Sink, TransientError
from sluicegate.events.sinks.dead_letters import DeadLetters
from sluicegate.events.sinks.decisions import Letter, Packet, Plan, Step, packets, pause, step
from sluicegate.events.sinks.selection import is_wanted

_NONSENSE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Counts:
    """What became of the events since the start; `retries` counts requests that were sent again."""

    queued: int = 0
    """Events that were to be sent."""
    sent: int = 0
    dead: int = 0
    dropped: int = 0
    """Of the dead letters, those that are lost: there was no more room for them."""
    filtered: int = 0
    retries: int = 0


class Engine:
    """One sink and what it takes to feed it."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        plan: Plan,
        dead: DeadLetters,
        *,
        chance: Callable[[], float],
        log: FilteringBoundLogger,
        filters: Sequence[FilterSettings] = (),
        select: Callable[[Event], Event] = lambda event: event,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`chance` gives a number in [0, 1); `select` makes of an event that which is sent of it."""
        self.name = name
        self.counts = Counts()
        self.trouble = ""
        """What is wrong at present, in words; empty where all is well."""
        self._sink = sink
        self._plan = plan
        self._dead = dead
        self._chance = chance
        self._log = log.bind(sink=name)
        self._filters = filters
        self._select = select
        self._sleep = sleep

    def __repr__(self) -> str:
        """Tell which sink it is, and how it is doing."""
        return f"<Engine {self.name} {self.counts} {self.trouble or 'well'}>"

    async def deliver(self, events: Sequence[Event]) -> None:
        """Send what is wanted of these events. Raises nothing but what ends the whole process."""
        await self.deliver_again(self._chosen(events))

    async def set_aside(self, events: Sequence[Event]) -> None:
        """Make dead letters of what is wanted of these events: there is no time to send them."""
        letters = [Letter(event, "there was no time to send it") for event in self._chosen(events)]
        if letters:
            await self._give_up(letters)

    async def deliver_again(self, events: Sequence[Event]) -> None:
        """Send events that were chosen before, as dead letters are."""
        made = packets(((event, len(_encode(event))) for event in events), self._plan)
        made.reverse()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(self._plan.concurrency, len(made))):
                tasks.create_task(self._work(made))

    async def close(self) -> None:
        """Give back what the sink holds."""
        await self._sink.close()

    async def _work(self, waiting: list[Packet]) -> None:
        """Send packets off the end of the list until there are none. Each is finished before the next is begun."""
        while waiting:
            todo = [waiting.pop()]
            while todo:
                packet = todo.pop()
                failure = await self._attempt(packet)
                next_step = step(packet, failure, self._plan, chance=self._chance())
                await self._count(next_step, failure)
                todo.extend(reversed(next_step.again))
                if next_step.wait:
                    await self._sleep(next_step.wait)

    async def _attempt(self, packet: Packet) -> DeliveryError | None:
        try:
            async with asyncio.timeout(self._plan.timeout):
                await self._sink.deliver(packet.events)
        except DeliveryError as error:
            return error
        except TimeoutError:
            return TransientError("no answer in time")
        except OSError as error:
            return TransientError(f"{type(error).__name__}: {error.strerror}")
        except _NONSENSE as error:
            # One event that nobody thought of must not hold up all others. Only the type: the rest may quote it.
            return PermanentError(f"the sink can make nothing of it: {type(error).__name__}")
        return None

    async def _count(self, done: Step, failure: DeliveryError | None) -> None:
        self.counts.sent += done.sent
        self.counts.retries += len(done.again)
        self._tell(str(failure) if failure else "")
        if done.dead:
            await self._give_up(done.dead)

    async def _give_up(self, letters: Sequence[Letter]) -> None:
        lost = await self._kept(letters)
        self.counts.dead += len(letters)
        self.counts.dropped += lost
        # Once for each batch that is given up: a loss that nobody hears of is the worst.
        self._log.error(
            "events given up, they are dead letters", count=len(letters), lost=lost, reason=letters[0].reason
        )

    async def _kept(self, letters: Sequence[Letter]) -> int:
        """Keep dead letters, however long the disk refuses; return how many older ones were lost for it.

        Meanwhile the journal, or the stream, still has these events.
        """
        attempts = 0
        while True:
            try:
                return await self._dead.add(letters)
            except OSError as error:
                self._tell(f"dead letters cannot be kept: {error.strerror or type(error).__name__}")
            attempts += 1
            await self._sleep(pause(attempts, None, self._plan, chance=self._chance()))

    def _chosen(self, events: Sequence[Event]) -> list[Event]:
        """What is sent of those that are wanted."""
        kinds, filters = self._sink.kinds, self._filters
        wanted = [self._select(event) for event in events if event.get("kind") in kinds and is_wanted(event, filters)]
        self.counts.filtered += len(events) - len(wanted)
        self.counts.queued += len(wanted)
        return wanted

    def _tell(self, trouble: str) -> None:
        """Log a trouble when it begins and when it ends, not each time."""
        if trouble and trouble != self.trouble:
            self._log.warning("events cannot be delivered", reason=trouble)
        elif self.trouble and not trouble:
            self._log.info("events are delivered again")
        self.trouble = trouble
