"""Identifiers: sortable, unique, of one length."""

from sluicegate.domain.ids import IdSource


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self, now: float) -> None:
        """Begin at `now`."""
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_has_a_stable_form() -> None:
    """Milliseconds, salt and counter, in lower-case hexadecimal."""
    source = IdSource("req_", clock=Clock(1_763_701_620.123), salt=0xBEEF)
    assert source.next() == f"req_{1_763_701_620_123:012x}0000beef00000001"
    assert source.next() == f"req_{1_763_701_620_123:012x}0000beef00000002"


def test_sorts_by_time() -> None:
    """A later id is greater, within one moment by its counter, across moments by the time."""
    clock = Clock(1_700_000_000.0)
    source = IdSource("tok_", clock=clock, salt=5)
    ids = [source.next() for _ in range(300)]
    clock.now += 0.001
    ids += [source.next() for _ in range(300)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 600
    assert {len(each) for each in ids} == {4 + 28}


def test_sources_of_one_moment_differ_by_salt() -> None:
    """Two workers started at once never make the same id."""
    one, other = (IdSource("req_", clock=Clock(1.0), salt=salt) for salt in (1, 2))
    assert one.next() != other.next()


def test_salt_is_cut_to_its_32_bits() -> None:
    """A salt too large does not lengthen the id."""
    assert IdSource("a_", clock=Clock(0.0), salt=2**40 + 3).next() == "a_000000000000" + "00000003" + "00000001"


def test_repr_tells_how_many_were_made() -> None:
    """The source's state can be read off."""
    source = IdSource("req_", clock=Clock(0.0), salt=1)
    source.next()
    assert repr(source) == "<IdSource req_…00000001 made=1>"
