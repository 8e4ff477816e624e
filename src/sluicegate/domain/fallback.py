"""The account of what an organisation may spend on one node while the ledger cannot be asked.

Control keeps it, not the ledger: its window is the UTC day, its maximum the organisation's `fallback_daily_limit`. The
name has no window that a limit could have, so it is nobody else's.
"""

_SUFFIX = "|usd|fallback"


def fallback_account(organization_id: str) -> str:
    """The account's name, for asking; no charge is ever made on it."""
    return organization_id + _SUFFIX


def is_fallback(account: str) -> bool:
    """Whether an account is one of these."""
    return account.endswith(_SUFFIX)
