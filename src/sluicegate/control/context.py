"""What the routes of the management API can reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sluicegate.control.configuration import Configuration
from sluicegate.control.consumers import Consumers
from sluicegate.control.logs import Logs
from sluicegate.control.metrics.sources import Sources
from sluicegate.control.offers import Offers
from sluicegate.control.passwords import Passwords
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.token_directory import Declared
from sluicegate.control.workers import Workers
from sluicegate.ledger.interface import Ledger


@dataclass(frozen=True, slots=True)
class Context:
    """The use cases, put together by `service`. `source` says in words where the configuration comes from.

    `declared` are the tokens of each file that declares some, in the order that they are asked in.
    """

    configuration: Configuration
    workers: Workers
    consumers: Consumers
    source: str
    tenancy: Tenancy
    passwords: Passwords
    declared: Sequence[Declared]
    key_uses: KeyUses
    ledger: Ledger
    offers: Offers
    logs: Logs
    metrics: Sources


def context_of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


Reached = Annotated[Context, Depends(context_of)]
"""Annotation of a route's parameter that shall be the context."""
