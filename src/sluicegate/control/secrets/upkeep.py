"""What an operator does with the master keys, while the gateway serves: look at them, rotate them, forget old ones.

Rule 1. Rotating goes on where an earlier one was ended; only then does it begin with a new key.
Rule 2. A key in the setting is the operator's: they put the new one before the old, and take the old one away.
Rule 3. An old key in the file stays until it is asked to be forgotten, and at least a day: answers that are kept for
        repeated requests are sealed too, and a transaction that began with it may still be open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluicegate.config.master_keys import parse_master_keys
from sluicegate.control.secrets.master_key import MasterKey, MasterKeyError, MasterKeyFile, open_key_ring
from sluicegate.control.secrets.rotation import Rotated, reseal, used_key_ids
from sluicegate.control.tenants.actor import Actor
from sluicegate.store.database import Database

KEPT_SECONDS = 86_400.0
"""How long an old key is kept after a newer one took its place."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key: `since` in Unix seconds where it is known, whether it seals, is here at all, and is needed."""

    id: str
    since: float | None
    is_used: bool
    is_first: bool = False
    is_here: bool = True


class Upkeep:
    """The keys of one installation and the database that they are for."""

    def __init__(
        self,
        database: Database,
        setting: str | None,
        data_dir: Path,
        *,
        random: Callable[[int], bytes],
        now: Callable[[], float],
    ) -> None:
        """`setting` is that of the configuration; `now` gives Unix seconds."""
        self._database = database
        self._setting = setting
        self._data_dir = data_dir
        self._file = MasterKeyFile(data_dir, random=random)
        self._random = random
        self._now = now

    def __repr__(self) -> str:
        """Tell where the keys are."""
        return f"<Upkeep {self.source}>"

    @property
    def source(self) -> str:
        """Where the keys are, in words."""
        return str(self._file.path) if self._setting is None else "the setting master_key"

    async def status(self) -> tuple[KeyStatus, ...]:
        """Every key that is here, the one that seals first, and every one that is needed. Raises MasterKeyError."""
        used = await used_key_ids(self._database)
        here = self._keys()
        ids = {key.id for key in here}
        found = [
            KeyStatus(key.id, key.since, is_used=key.id in used, is_first=number == 0)
            for number, key in enumerate(here)
        ]
        lacking = [KeyStatus(key_id, None, is_used=True, is_here=False) for key_id in sorted(used - ids)]
        return (*found, *lacking)

    async def rotate(self, actor: Actor) -> Rotated:
        """Seal every secret with the newest key, a new one where it comes from the file. Raises MasterKeyError."""
        used = await used_key_ids(self._database)
        # Before anything is changed: it refuses where there are secrets and no key at all.
        ring = open_key_ring(
            self._setting, self._data_dir, has_ciphertext=bool(used), random=self._random, now=self._now()
        )
        is_settled = used <= {ring.key_id}
        if is_settled and self._setting is None:
            self._file.add(self._now())
            ring = open_key_ring(None, self._data_dir, has_ciphertext=True, random=self._random, now=self._now())
        elif is_settled and len(ring.key_ids) == 1:
            raise MasterKeyError(
                "the setting master_key holds one key, which everything is sealed with already: put a new key before"
                " it, separated by a comma, restart the gateway, and rotate again"
            )
        return await reseal(self._database, ring, actor=actor, at=int(self._now() * 1000))

    async def forget(self, *, is_urgent: bool = False) -> tuple[str, ...]:
        """Take keys that nothing is sealed with out of the file; return their ids. Raises MasterKeyError.

        `is_urgent` does so though they were in use less than a day ago.
        """
        if self._setting is not None:
            raise MasterKeyError("the keys are in the setting master_key: take those away there that are not used")
        before = self._keys()
        since = before[0].since if before else None
        if len(before) > 1 and not is_urgent and (since is None or self._now() - since < KEPT_SECONDS):
            raise MasterKeyError(
                "the newest key is not known to be a day old: something may still be sealed with an older one; forget"
                " them tomorrow, or at once with --now if no gateway has run since the rotation"
            )
        used = await used_key_ids(self._database)
        after = {key.id for key in self._file.keep(used)} if before else set()
        return tuple(key.id for key in before if key.id not in after)

    def _keys(self) -> tuple[MasterKey, ...]:
        if self._setting is None:
            return self._file.read()
        return tuple(MasterKey(secret) for secret in parse_master_keys(self._setting))
