"""When managers' keys were last used: noted in memory with each request, written down together.

A key's use is no reason to wait for the database's one writer, so a request only notes it. What was noted since the
last writing is lost with a process that dies.
"""

from sluicegate.store.database import Database


class KeyUses:
    """The uses of admin keys that are not written yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[str, int] = {}

    def __repr__(self) -> str:
        """Tell how many wait."""
        return f"<KeyUses waiting={len(self._waiting)}>"

    def note(self, key_id: str, at: int) -> None:
        """A key was used at `at`, Unix milliseconds."""
        self._waiting[key_id] = max(at, self._waiting.get(key_id, 0))

    async def store(self, database: Database) -> None:
        """Write what waits, in one transaction; where that fails, it goes on waiting. Raises what the database does."""
        if not self._waiting:
            return
        written = dict(self._waiting)
        async with database.writing() as session:
            for key_id, at in written.items():
                await session.admin_keys.touch(key_id, at)
        # What was used again meanwhile waits for the next time.
        self._waiting = {key_id: at for key_id, at in self._waiting.items() if at != written.get(key_id)}
