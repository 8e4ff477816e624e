"""A bounded queue that serves its owners in turn, so that one with many items delays only itself.

Rule 1. Owners are served one item at a time, in the order in which they came into the queue; within an owner, items in
        theirs.
Rule 2. In a full queue, the last item of the owner with the longest queue gives way; where the one who puts would have
        the longest, that is the new item.
Rule 3. Every operation takes the same time however long the queue is.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """At most `most` items, each of one owner. No item may be in it twice."""

    __slots__ = ("_by_length", "_longest", "_most", "_queues", "owners")

    def __init__(self, most: int) -> None:
        """Empty."""
        self._most = most
        self.owners: dict[T, str] = {}
        """Of all items; only to be looked at, for instance whether there are any."""
        # Ordered dictionaries, since taking the first of a plain one again and again is slow.
        self._queues: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        """Of each owner that has any item, in the order of turns."""
        self._by_length: dict[int, OrderedDict[str, None]] = {}
        """Owners by how many items they have."""
        self._longest = 0

    def __repr__(self) -> str:
        """Tell how long it is, and for how many."""
        return f"<FairQueue {len(self)} of {self._most}, {len(self._queues)} owners, longest {self._longest}>"

    def __len__(self) -> int:
        """How many items wait."""
        return len(self.owners)

    def __iter__(self) -> Iterator[T]:
        """All items, in any order."""
        return iter(self.owners)

    def put(self, owner: str, item: T) -> T | None:
        """Add an item; what gives way for it, which may be the item itself, or None."""
        loser: T | None = None
        if len(self.owners) >= self._most:
            if len(self._queues.get(owner, ())) + 1 >= self._longest:
                return item
            loser = next(reversed(self._queues[next(iter(self._by_length[self._longest]))]))
            self.remove(loser)
        self._add(owner, item)
        return loser

    def put_first(self, owner: str, item: T) -> None:
        """Put back an item that was taken, to be taken next; there is always room for it."""
        self._add(owner, item)
        self._queues[owner].move_to_end(item, last=False)
        self._queues.move_to_end(owner, last=False)

    def take(self) -> T:
        """Take the item whose turn it is. Raises IndexError where there is none."""
        if not self.owners:
            raise IndexError("the queue is empty")
        owner = next(iter(self._queues))
        item = next(iter(self._queues[owner]))
        self.remove(item)
        if owner in self._queues:
            self._queues.move_to_end(owner)
        return item

    def remove(self, item: T) -> bool:
        """Take an item out, wherever it is; False where it is not in the queue."""
        owner = self.owners.pop(item, None)
        if owner is None:
            return False
        queue = self._queues[owner]
        del queue[item]
        if not queue:
            del self._queues[owner]
        self._moved(owner, len(queue) + 1, len(queue))
        return True

    def _add(self, owner: str, item: T) -> None:
        self.owners[item] = owner
        queue = self._queues.setdefault(owner, OrderedDict())
        queue[item] = None
        self._moved(owner, len(queue) - 1, len(queue))

    def _moved(self, owner: str, before: int, after: int) -> None:
        """Note that an owner has one item more or less."""
        if before:
            alike = self._by_length[before]
            del alike[owner]
            if not alike:
                del self._by_length[before]
        if after:
            self._by_length.setdefault(after, OrderedDict())[owner] = None
        if after > self._longest:
            self._longest = after
        elif self._longest not in self._by_length:
            # It was this owner's, who has one less now: nobody has more than that.
            self._longest = after
