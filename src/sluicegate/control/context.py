"""What the routes of the management API can reach."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sluicegate.control.configuration import Configuration
from sluicegate.control.workers import Workers


@dataclass(frozen=True, slots=True)
class Context:
    """The use cases, put together by `service`. `source` says in words where the configuration comes from."""

    configuration: Configuration
    workers: Workers
    source: str


def context_of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


Reached = Annotated[Context, Depends(context_of)]
"""Annotation of a route's parameter that shall be the context."""
