"""How long to wait before a process is started again."""

import pytest

from sluicegate.supervisor.backoff import STABLE_SECONDS, deaths_in_a_row, restart_delay


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 0), (2, 0.25), (3, 0.5), (4, 1), (8, 16), (9, 30), (100_000, 30)])
def test_delay_doubles_up_to_a_bound(deaths: int, seconds: float) -> None:
    """The first death costs no time, each further one twice as much, however often it happens never more than 30 s."""
    assert restart_delay(deaths) == seconds


def test_long_life_starts_the_count_anew() -> None:
    """Who lived for a while has died once; who did not has died once more."""
    assert deaths_in_a_row(5, STABLE_SECONDS) == 1
    assert deaths_in_a_row(5, STABLE_SECONDS - 0.1) == 6
    assert deaths_in_a_row(0, 0.1) == 1
