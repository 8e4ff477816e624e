"""Who takes notices in tests."""

from collections.abc import Mapping

from sluicegate.domain.events import Fact, NoticeName


class Listener:
    """Keeps what it is told, in order, and remembers keys as long as it is asked to, by a clock that tests set."""

    def __init__(self, now: int = 1_795_262_400_000) -> None:
        self.now = now
        self.told: list[tuple[NoticeName, str]] = []
        self.occasions: list[str] = []
        self.organizations: list[str] = []
        self.facts: list[dict[str, Fact]] = []
        self.keys: dict[str, int] = {}

    def tell(
        self,
        event: NoticeName,
        subject: str,
        *,
        occasion: str,
        organization_id: str = "",
        facts: Mapping[str, Fact],
    ) -> None:
        """Keep it."""
        self.told.append((event, subject))
        self.occasions.append(occasion)
        self.organizations.append(organization_id)
        self.facts.append(dict(facts))

    def is_new(self, key: str, until: int) -> bool:
        """Whether it is not remembered."""
        if self.keys.get(key, 0) > self.now:
            return False
        self.keys[key] = until
        return True

    def forget(self, key: str) -> None:
        """Forget it."""
        self.keys.pop(key, None)
