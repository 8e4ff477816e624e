"""How a limit's state is told to clients: what the dialects share."""

from msgspec.structs import asdict

from sluicegate.dialects.base import Resets
from sluicegate.domain.errors import GatewayError, LimitError


def limit_facts(error: GatewayError) -> dict[str, object]:
    """The members that say which limit refused, to be put into an error object; none for other errors.

    For tokens also in the words of a simpler gateway that clients may know: `tokens_used` and so on.
    """
    if not isinstance(error, LimitError) or error.facts is None:
        return {}
    facts = error.facts
    told = {name: value for name, value in asdict(facts).items() if value is not None}
    members: dict[str, object] = {"limit": told}
    if facts.metric == "tokens":
        members |= {"tokens_used": facts.used, "tokens_limit": facts.maximum, "window_ends_at": facts.resets_at}
    return members


def openai_form(metric: str, maximum: int, resets: Resets | None) -> bytes:
    """`x-ratelimit-…` (https://platform.openai.com/docs/guides/rate-limits); the reset is a duration: `6m0s`."""
    form = f"x-ratelimit-limit-{metric}: {maximum}\r\nx-ratelimit-remaining-{metric}: %d\r\n"
    if resets is not None:
        form += f"x-ratelimit-reset-{metric}: {duration(resets.seconds)}\r\n"
    return form.encode()


def anthropic_form(metric: str, maximum: int, resets: Resets | None) -> bytes:
    """`anthropic-ratelimit-…` (https://docs.claude.com/en/api/rate-limits); the reset is a time (RFC 3339)."""
    name = f"anthropic-ratelimit-{metric}"
    form = f"{name}-limit: {maximum}\r\n{name}-remaining: %d\r\n"
    if resets is not None:
        form += f"{name}-reset: {resets.at}\r\n"
    return form.encode()


def duration(seconds: float) -> str:
    """Go's way of writing a duration, which OpenAI's headers use: `850ms`, `7s`, `6m0s`, `2h0m3s`."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(-(-milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
