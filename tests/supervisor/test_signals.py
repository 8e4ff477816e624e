"""Signals as bytes, this process's own ones."""

import os
import select
import signal

from sluicegate.supervisor.signals import SignalPipe


def test_signals_arrive_in_order() -> None:
    """Each of the named signals makes the descriptor readable and does nothing else."""
    with SignalPipe((signal.SIGUSR1, signal.SIGUSR2)) as signals:
        assert signals.read() == []
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert select.select([signals], [], [], 5)[0] == [signals]
        assert signals.read() == [signal.SIGUSR2, signal.SIGUSR1]
        assert signals.read() == []


def test_other_signals_are_left_out() -> None:
    """A signal somebody else handles also writes its number, which means nothing here."""
    before = signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        with SignalPipe((signal.SIGUSR1,)) as signals:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert signals.read() == []
            assert repr(signals) == "<SignalPipe SIGUSR1>"
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_everything_is_as_before_afterwards() -> None:
    """Handlers and the wake-up descriptor are put back."""
    handler = signal.getsignal(signal.SIGUSR1)
    with SignalPipe((signal.SIGUSR1,)):
        assert signal.getsignal(signal.SIGUSR1) is not handler
    assert signal.getsignal(signal.SIGUSR1) is handler
    assert signal.set_wakeup_fd(-1) == -1
