"""The supervisor's command line: what is written is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.supervisor.orders import Orders, configuration_flags, parse, written

text = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
orders = st.builds(
    Orders,
    config=text,
    host=text,
    port=st.none() | st.integers(0, 65_535),
    workers=st.none() | st.integers(1, 64),
    data_dir=text,
    drain_seconds=st.none() | st.floats(0, 1e6),
    file_event_log=text,
    demo=st.booleans(),
    daemon=st.booleans(),
    pid_file=text,
    log_file=text,
    start_seconds=st.none() | st.floats(0.1, 1e6),
)


@given(orders)
def test_written_orders_are_read_back(given_orders: Orders) -> None:
    """Whatever is ordered survives the way through a command line, values with dashes and spaces included."""
    assert parse(written(given_orders)) == given_orders


def test_control_gets_what_concerns_the_configuration() -> None:
    """Flags that are the supervisor's own business do not travel further."""
    flags = configuration_flags(
        Orders(config="a.yaml", port=0, daemon=True, demo=True, pid_file="p", log_file="l", start_seconds=5)
    )
    assert flags == ["--config=a.yaml", "--port=0"]


def test_unknown_flag_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that does not exist, or an abbreviated one, ends with status 2."""
    for flag in ("--nothing", "--work=2"):
        with pytest.raises(SystemExit, match="2"):
            parse([flag])
    assert "--nothing" in capsys.readouterr().err
