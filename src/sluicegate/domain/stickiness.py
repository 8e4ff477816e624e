"""Which of several targets a session belongs to, so that a provider's prompt cache is hit, and none has too much.

Weighted rendezvous hashing: every option draws a number from the key and its own id, and the highest wins. When an
option comes or goes, only the sessions move that it wins or had. (Thaler and Ravishankar, 1998; weights by -w / ln h.)
Bounded load: one that has a quarter more than its fair share is passed over for the next in the key's own order
(Mirrokni, Thorup and Zadimoghaddam, 2016).
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import ceil, log
from typing import Final

_SLACK: Final = 1.25
"""How much of its fair share one may have; small enough for even load, large enough that few sessions move."""
_WORD: Final = 2**64 - 1


def preferred(key: bytes, options: Sequence[tuple[str, float, int]]) -> int:
    """The index of the option this key belongs to, of at least one.

    Each has an id, a weight and its requests under way. With this request it has at most a quarter more than its fair
    share of all requests, rounded up. An option of no weight is chosen only where none has any; then all are alike.
    """
    if len(options) == 1:
        return 0
    # A key may be long: it is read once.
    session = int.from_bytes(blake2b(key, digest_size=8).digest())
    weights = requests = highest = 0.0
    first = -1
    for index, (name, weight, busy) in enumerate(options):
        weights += weight
        requests += busy
        score = _score(session, name, weight)
        if score > highest:
            highest, first = score, index
    if first < 0:
        return preferred(key, [(name, 1.0, busy) for name, _, busy in options])
    allowed = _SLACK * (requests + 1) / weights
    _, weight, busy = options[first]
    # The trifle is of rounding.
    if busy < ceil(allowed * weight - 1e-9):
        return first
    return _next_in_rank(session, options, allowed)


def _next_in_rank(session: int, options: Sequence[tuple[str, float, int]], allowed: float) -> int:
    """The first of those who want it that does not have too much."""
    ranked = sorted(
        ((_score(session, name, weight), index) for index, (name, weight, _) in enumerate(options) if weight > 0),
        reverse=True,
    )
    for _, index in ranked:
        _, weight, busy = options[index]
        # Not all can have more than a share that adds up to more than all: one is found.
        if busy < ceil(allowed * weight - 1e-9):
            break
    return index


def _score(session: int, name: str, weight: float) -> float:
    """What an option draws: uniform from (0, 1) by session and name, and raised by its weight; 0.0 without weight."""
    # Two rounds of multiplying and folding (as SplitMix64 ends): every bit depends on every other.
    mixed = (session ^ _number_of(name)) * 0xBF58476D1CE4E5B9 & _WORD
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
    # 52 bits and a half: never 0 nor 1, and exact.
    return -weight / log(((mixed >> 12) + 0.5) / 2**52)


@lru_cache(maxsize=1024)
def _number_of(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
