"""Which of several targets a session belongs to, so that a provider's prompt cache is hit, and none has too much.

Weighted rendezvous hashing: every option draws a number from the key and its own id, and the highest wins. When an
option comes or goes, only the sessions move that it wins or had. (Thaler and Ravishankar, 1998; weights by -w / ln h.)
Bounded load: one that has a quarter more than its fair share is passed over for the next in the key's own order
(Mirrokni, Thorup and Zadimoghaddam, 2016).
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import ceil, log
from typing import Final

_SLACK: Final = 1.25
"""How much of its fair share one may have; small enough for even load, large enough that few sessions move."""


def preferred(key: bytes, options: Sequence[tuple[str, float, int]]) -> int:
    """The index of the option this key belongs to, of at least one.

    Each has an id, a weight and its requests under way. With this request it has at most a quarter more than its fair
    share of all requests, rounded up. An option of no weight is chosen only where none has any; then all are alike.
    """
    if len(options) == 1:
        return 0
    if not any(weight > 0 for _, weight, _ in options):
        options = [(name, 1.0, busy) for name, _, busy in options]
    weights = requests = 0.0
    for _, weight, busy in options:
        weights += weight
        requests += busy
    allowed = _SLACK * (requests + 1) / weights
    # A key may be long: it is read once.
    session = blake2b(key, digest_size=16).digest()
    ranked = sorted(
        ((_score(session, name, weight), index) for index, (name, weight, _) in enumerate(options) if weight > 0),
        reverse=True,
    )
    for _, index in ranked:
        _, weight, busy = options[index]
        # Not all can have more than a share that adds up to more than all: one is found. The trifle is of rounding.
        if busy < ceil(allowed * weight - 1e-9):
            break
    return index


def _score(session: bytes, name: str, weight: float) -> float:
    digest = blake2b(name.encode(), digest_size=8, key=session).digest()
    # 52 bits and a half: never 0 nor 1, and exact.
    return -weight / log(((int.from_bytes(digest) >> 12) + 0.5) / 2**52)
