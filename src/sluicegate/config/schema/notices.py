"""What people are warned of, and when."""

from typing import Annotated

from pydantic import Field

from sluicegate.config import fields
from sluicegate.config.schema.section import Section


class NoticeSettings(Section):
    """When notices are told. They are lines beside the events, for sinks to deliver."""

    budget_percents: tuple[Annotated[fields.Count, Field(le=100)], ...] = (50, 80, 100)
    """Shares of a limit, in percent, that are told when they are used up; none for never."""
    token_seconds: fields.SecondsOrNone = 259_200.0
    """How long before a token expires, or withers for want of use, that is told; 0 for never."""
