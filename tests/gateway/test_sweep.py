"""Deadlines, looked at regularly."""

import asyncio

from sluicegate.gateway.sweep import SWEEP_SECONDS, Sweep


def test_everyone_is_asked_until_it_is_stopped() -> None:
    """Each sweeper gets the time, again and again; a stopped sweep asks no more."""
    loop = asyncio.new_event_loop()
    asked: list[float] = []
    sweep = Sweep(loop, clock=lambda: 5.0, sweepers=(asked.append, lambda now: asked.append(now + 1)))
    sweep.stop()
    sweep.start()
    assert repr(sweep) == "<Sweep sweepers=2>"
    handle = sweep._handle
    assert handle is not None
    assert handle.when() - loop.time() <= SWEEP_SECONDS
    sweep._run()
    assert asked == [5.0, 6.0]
    sweep.stop()
    loop.close()
