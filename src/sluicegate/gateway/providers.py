"""The runtime of one deployment: its configuration, dialect and pool, how it fares, and what it gets every time."""

from msgspec.structs import replace

from sluicegate.dialects.base import Dialect
from sluicegate.domain.breaker import Breaker
from sluicegate.domain.latency import PeakEwma
from sluicegate.domain.snapshot import Provider, Snapshot
from sluicegate.gateway.connector import Opener
from sluicegate.gateway.pool import Pool
from sluicegate.wire.headers import CREDENTIAL_NAMES, HeaderKinds


class ProviderRuntime:
    """What a request needs to go to a provider."""

    __slots__ = (
        "breaker",
        "defaults",
        "dialect",
        "head",
        "id",
        "latency",
        "name",
        "overridden",
        "pool",
        "price_fields",
        "provider",
    )

    def __init__(self, provider: Provider, dialect: Dialect, pool: Pool) -> None:
        """Prepare the fields sent with every request."""
        self.provider = provider
        self.name = provider.name
        self.id = provider.id
        self.breaker = Breaker(provider.circuit)
        self.latency: PeakEwma | None = None
        """How long it takes to its first byte, where somebody asks for that."""
        self.dialect = dialect
        self.pool = pool
        self.head = f"Host: {provider.authority}\r\n".encode() + b"".join(map(_field, provider.headers))
        told = (*provider.caller_headers, *provider.price_headers)
        names = frozenset(name.encode() for name, _ in (*provider.headers, *told))
        self.overridden = names - CREDENTIAL_NAMES
        """Lower-case names whose value is the provider's, whatever a client sends; credentials never travel anyway."""
        self.defaults = tuple(
            (name.encode(), _field((name, value)))
            for name, value in provider.default_headers
            if name.encode() not in names
        )
        self.price_fields: dict[str, bytes] = {}
        """The fields that tell a price, by its version."""

    def head_with(self, key: str) -> bytes:
        """`head` with another key in place of the configured one."""
        placed = self.provider.credential
        names = CREDENTIAL_NAMES if placed is None else CREDENTIAL_NAMES | {placed[0].encode()}
        others = [_field(field) for field in self.provider.headers if field[0].encode() not in names]
        credential = ((placed[0], placed[1] + key),) if placed else self.dialect.credential_headers(key)
        fields = [_field(field) for field in credential]
        return f"Host: {self.provider.authority}\r\n".encode() + b"".join(others + fields)

    def __repr__(self) -> str:
        """Tell the name and the pool; never a credential."""
        return f"<ProviderRuntime {self.id} {self.dialect.name} {self.breaker.state} {self.pool!r}>"


def _field(field: tuple[str, str]) -> bytes:
    return f"{field[0]}: {field[1]}\r\n".encode("latin-1")


class Providers:
    """The runtimes of a snapshot. What did not change keeps its connections, and what is known of it, when the snapshot
    does."""

    __slots__ = ("_dialects", "_kinds", "_opener", "_retired", "by_id", "by_name")

    def __init__(self, dialects: dict[str, Dialect], opener: Opener, kinds: HeaderKinds) -> None:
        """`kinds` sorts the fields of answers."""
        self._dialects = dialects
        self._opener = opener
        self._kinds = kinds
        self._retired: list[Pool] = []
        self.by_id: dict[str, ProviderRuntime] = {}
        self.by_name: dict[str, ProviderRuntime] = {}
        """Of each provider its first deployment, which stands for what all of them share."""

    def __repr__(self) -> str:
        """Tell the runtimes."""
        return f"<Providers {list(self.by_id.values())!r}>"

    def configure(self, snapshot: Snapshot) -> None:
        """Take the providers of a snapshot; requests under way finish on the old ones."""
        old = self.by_id
        self.by_id = {}
        self.by_name = {}
        for provider in snapshot.providers:
            before = old.pop(provider.id, None)
            if before is None or _reached(before.provider) != _reached(provider):
                if before is not None:
                    self._retire(before.pool)
                pool = Pool(provider, self._opener, self._kinds)
                before = ProviderRuntime(provider, self._dialects[provider.dialect], pool)
            before.provider = provider
            self.by_id[provider.id] = before
            self.by_name.setdefault(provider.name, before)
        for runtime in old.values():
            self._retire(runtime.pool)

    def _retire(self, pool: Pool) -> None:
        """Requests that hold or await one of its connections finish on it; then it is forgotten."""
        pool.close()
        self._retired.append(pool)

    def sweep(self, now: float) -> None:
        """Let every pool look at its deadlines."""
        for runtime in self.by_id.values():
            runtime.pool.sweep(now)
        for pool in self._retired:
            pool.sweep(now)
        self._retired = [pool for pool in self._retired if not pool.is_empty]


def _reached(provider: Provider) -> Provider:
    """What of a provider its connections and what is known of it depend on: all but how it is chosen."""
    return replace(provider, weight=1, region="", tags=(), models=(), allow=None)
