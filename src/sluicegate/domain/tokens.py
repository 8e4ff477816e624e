"""What a caller's credential is reduced to: its digest, and what may be shown of it."""

from hashlib import sha256


def digest(credential: bytes) -> bytes:
    """SHA-256 of the credential, 32 bytes: the only form in which it is stored, compared or sent to another process.

    Tokens are random with at least 128 bits, so a plain digest resists guessing; and looking a digest up in a
    dictionary reveals nothing by its timing.
    """
    return sha256(credential).digest()


def masked(credential: str) -> str:
    """What a page or message may show: the first characters and the last four of a long credential, else only stars."""
    if len(credential) < 20:
        return "****"
    return f"{credential[:6]}…{credential[-4:]}"
