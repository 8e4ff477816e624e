"""Noticing that a file changed."""

import asyncio
from pathlib import Path

import pytest

from sluicegate.control.watch import Fingerprint, Watcher, fingerprint, watch

OLD, EMPTY, NEW = (1, 1, 10), (1, 2, 0), (1, 3, 12)


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    """It differs for another file, another content and no file; a link counts as what it points to."""
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    assert fingerprint(path) is None
    path.write_text("one")
    other.write_text("two")
    first = fingerprint(path)
    link.symlink_to(path)
    assert fingerprint(link) == first
    link.unlink()
    link.symlink_to(other)
    assert fingerprint(link) != first
    path.write_text("longer")
    assert fingerprint(path) != first


@pytest.mark.parametrize(
    ("seen", "changes"),
    [
        ([OLD, OLD, OLD], []),
        ([NEW, NEW, NEW], [1]),
        ([EMPTY, NEW, NEW], [2]),
        ([EMPTY, OLD, OLD], []),
        ([None, None, OLD, OLD], [1, 3]),
        ([NEW, NEW, OLD, OLD, NEW, NEW], [1, 3, 5]),
    ],
)
def test_change_counts_once_it_has_come_to_rest(seen: list[Fingerprint], changes: list[int]) -> None:
    """A change is told when two looks in a row found the same, so a file being rewritten is not read half."""
    watcher = Watcher(OLD)
    assert [look for look, found in enumerate(seen) if watcher.look(found)] == changes


def test_watcher_shows_its_state() -> None:
    """Whether a change is under way can be seen."""
    watcher = Watcher(OLD)
    assert repr(watcher) == "<Watcher at rest>"
    watcher.look(NEW)
    assert repr(watcher) == "<Watcher changing>"


def test_watching_calls_for_each_change() -> None:
    """Looking goes on after a change, and ends only when it is cancelled."""
    looks = iter([OLD, NEW, NEW, NEW, OLD, OLD])
    found: list[Fingerprint] = []
    changes: list[Fingerprint] = []

    def look() -> Fingerprint:
        found.append(next(looks))
        return found[-1]

    async def changed() -> None:
        changes.append(found[-1])

    async def pause() -> None:
        if len(found) == 6:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch(look, Watcher(OLD), changed=changed, pause=pause))
    assert changes == [NEW, OLD]
