"""What a stream has told of itself so far, whichever API it is of: what every stream reader fills in."""

from sluicegate.dialects.capture import Capture
from sluicegate.domain.usage import Reading, Usage


class Findings:
    """Filled in event by event. Usage is not part of it: every API reports that in a way of its own."""

    __slots__ = ("capture", "error", "finish_reason", "is_complete", "model", "provider_cost", "response_id", "service")

    def __init__(self) -> None:
        """Start with nothing."""
        self.capture = Capture()
        self.model: str | None = None
        self.response_id: str | None = None
        self.finish_reason: str | None = None
        self.error: str | None = None
        self.provider_cost: int | None = None
        self.service: str | None = None
        self.is_complete = False

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<Findings complete={self.is_complete} {self.capture!r}>"

    def reading(self, usage: Usage | None, *, is_usage_final: bool = True) -> Reading:
        """All of it. The text goes along only where its tokens must be counted: without usage, or with one that is not
        final."""
        needs_count = usage is None or not is_usage_final
        return Reading(
            usage=usage,
            is_usage_final=usage is None or is_usage_final,
            model=self.model,
            response_id=self.response_id,
            finish_reason=self.finish_reason,
            text=self.capture.text() if needs_count else "",
            text_dropped=self.capture.dropped if needs_count else 0,
            is_complete=self.is_complete,
            error=self.error,
            provider_cost=self.provider_cost,
            service=self.service,
        )
