"""A queue shared by owners: each has its turn, whoever takes most gives way; against a model of plain lists."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluicegate.domain.fair_queue import FairQueue


def filled(most: int, **owners: int) -> FairQueue[str]:
    """A queue in which each owner has so many items, named by owner and number."""
    queue = FairQueue[str](most)
    for owner, count in owners.items():
        for number in range(count):
            assert queue.put(owner, f"{owner}{number}") is None
    return queue


def drained(queue: FairQueue[str]) -> list[str]:
    """All items, as they are taken."""
    return [queue.take() for _ in range(len(queue))]


def test_owners_have_turns() -> None:
    """One item of each, again and again; within an owner in their order."""
    assert drained(filled(99, a=4, b=2, c=1)) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_a_noisy_neighbour_delays_itself_only() -> None:
    """However many items one owner puts, another one's item waits for one item of each other owner at most."""
    queue = filled(1_000, noisy=999)
    for number in range(300):
        queue.put("noisy", f"more{number}")
        queue.put("calm", f"calm{number}")
        assert f"calm{number}" in (queue.take(), queue.take())
        queue.put("noisy", f"again{number}")
    assert 990 <= len(queue) <= 1_000


def test_shares_under_a_noisy_neighbour() -> None:
    """Three owners that ask for 1, 5 and 200 items where 9 are served: the small ones have all or their third."""
    queue = FairQueue[tuple[str, int]](50)
    served: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for tick in range(200):
        for number in range(200):
            for owner, count in (("noisy", 200), ("medium", 5), ("small", 1)):
                if number < count:
                    loser = queue.put(owner, (owner, tick * 1_000 + number))
                    if loser is not None:
                        lost[loser[0]] += 1
        for _ in range(9):
            served[queue.take()[0]] += 1
    assert served["small"] == 200
    assert lost["small"] == 0
    assert served["medium"] == pytest.approx(800, abs=5)
    assert served["noisy"] == pytest.approx(800, abs=5)


def test_the_longest_gives_way() -> None:
    """In a full queue the last item of the longest queue goes; that may be the new one."""
    queue = filled(5, a=3, b=2)
    assert queue.put("c", "c0") == "a2"
    assert queue.put("a", "a9") == "a9"
    assert queue.put("c", "c1") == "c1"
    assert drained(queue) == ["a0", "b0", "c0", "a1", "b1"]


def test_no_room_at_all() -> None:
    """A queue of none gives every item back."""
    queue = FairQueue[str](0)
    assert queue.put("a", "a0") == "a0"
    assert len(queue) == 0


def test_what_is_put_back_is_next() -> None:
    """An item that was taken and could not be served is taken next, even where the queue is full by now."""
    queue = filled(3, a=2, b=1)
    item = queue.take()
    queue.put("c", "c0")
    queue.put_first("a", item)
    assert len(queue) == 4
    assert drained(queue) == ["a0", "b0", "c0", "a1"]


def test_items_are_removed_wherever_they_are() -> None:
    """The rest keeps its order; an item that is not there is no error."""
    queue = filled(9, a=3, b=1)
    assert queue.remove("a1")
    assert queue.remove("b0")
    assert not queue.remove("a1")
    assert sorted(queue) == ["a0", "a2"]
    assert repr(queue) == "<FairQueue 2 of 9, 1 owners, longest 2>"
    assert drained(queue) == ["a0", "a2"]


def test_nothing_to_take() -> None:
    """An empty queue says so."""
    with pytest.raises(IndexError, match="empty"):
        FairQueue[str](3).take()


class Queues(RuleBasedStateMachine):
    """The queue against lists that are searched for everything."""

    @initialize(most=st.integers(1, 8))
    def begin(self, most: int) -> None:
        """Empty."""
        self.most = most
        self.queue = FairQueue[int](most)
        self.model: dict[str, list[int]] = {}
        self.number = 0

    def length(self) -> int:
        """Of all owners' queues."""
        return sum(map(len, self.model.values()))

    def items(self) -> list[int]:
        """All of them, in their numbers' order."""
        return sorted(item for items in self.model.values() for item in items)

    @rule(owner=st.sampled_from("abcd"))
    def put(self, owner: str) -> None:
        """What gives way is the last of a longest queue, and the one who puts gives way before others as long."""
        self.number += 1
        lengths = {name: len(items) for name, items in self.model.items()}
        is_full = self.length() >= self.most
        loser = self.queue.put(owner, self.number)
        assert (loser is not None) is is_full
        if loser == self.number:
            assert lengths.get(owner, 0) + 1 >= max(lengths.values())
            return
        if loser is not None:
            victim = next(name for name, items in self.model.items() if loser in items)
            assert lengths[victim] == max(lengths.values()) > lengths.get(owner, 0) + 1
            assert self.model[victim].pop() == loser
        self.model.setdefault(owner, []).append(self.number)

    @precondition(lambda self: self.model)
    @rule(goes_back=st.booleans())
    def take(self, goes_back: bool) -> None:
        """The first of the owner whose turn it is; perhaps it is put back."""
        owner, items = next(iter(self.model.items()))
        item = self.queue.take()
        assert item == items[0]
        rest = {name: each for name, each in self.model.items() if name != owner}
        if goes_back:
            self.queue.put_first(owner, item)
            return
        self.model = rest | ({owner: items[1:]} if items[1:] else {})

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Any item."""
        item = data.draw(st.sampled_from(self.items()))
        assert self.queue.remove(item)
        owner = next(name for name, items in self.model.items() if item in items)
        self.model[owner].remove(item)
        if not self.model[owner]:
            del self.model[owner]

    @invariant()
    def agrees(self) -> None:
        """The same items, never more than there may be."""
        assert sorted(self.queue) == self.items()
        assert len(self.queue) == self.length() <= self.most
        assert f"longest {max(map(len, self.model.values()), default=0)}>" in repr(self.queue)


Queues.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestQueues = Queues.TestCase
