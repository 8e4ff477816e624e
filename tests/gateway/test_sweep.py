"""Deadlines, looked at regularly."""

import asyncio

from sluicegate.gateway.sweep import LATE_SECONDS, SWEEP_SECONDS, Sweep


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


def test_a_look_that_is_late_is_left_out() -> None:
    """Who stood still reads first what came meanwhile; who is always late looks every second time."""
    loop = asyncio.new_event_loop()
    now = 5.0
    asked: list[float] = []
    sweep = Sweep(loop, clock=lambda: now, sweepers=(asked.append,))
    sweep.start()
    for later in (SWEEP_SECONDS, 9.0, SWEEP_SECONDS + LATE_SECONDS, 9.0, 9.0, 9.0):
        now += later
        sweep._run()
    assert asked == [5.5, 15.5, 33.5]
    sweep.stop()
    loop.close()
