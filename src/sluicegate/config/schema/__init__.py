"""Every setting of the configuration file: its name, kind, default and meaning, declared once.

What a setting means for the running gateway stands beside its counterpart in `domain/snapshot.py`, whose defaults are
taken over here.

section     what all sections have in common
server      the node itself
limits      limits on callers, and where they are counted
prices      what models cost
resilience  timeouts, retries, circuits, concurrency
providers   providers and their deployments
models      model names of our own
settings    declared tokens, and the file as a whole
"""

from sluicegate.config.schema.limits import MOST_COUNTED, LimitDefaults, LimitSettings, LimitsSettings, Redis
from sluicegate.config.schema.models import ModelSettings, ModelTarget, StickyHeader
from sluicegate.config.schema.prices import PriceSettings, PriceTier, RateSettings
from sluicegate.config.schema.providers import AllowEntry, DeploymentSettings, ProviderSettings
from sluicegate.config.schema.resilience import (
    CircuitSettings,
    ConcurrencySettings,
    ProviderTimeouts,
    Resilience,
    RetriesSettings,
)
from sluicegate.config.schema.section import Section
from sluicegate.config.schema.server import Admin, Events, Issuing, Limits, Server, Tls
from sluicegate.config.schema.settings import Settings, TokenSettings

__all__ = [
    "MOST_COUNTED",
    "Admin",
    "AllowEntry",
    "CircuitSettings",
    "ConcurrencySettings",
    "DeploymentSettings",
    "Events",
    "Issuing",
    "LimitDefaults",
    "LimitSettings",
    "Limits",
    "LimitsSettings",
    "ModelSettings",
    "ModelTarget",
    "PriceSettings",
    "PriceTier",
    "ProviderSettings",
    "ProviderTimeouts",
    "RateSettings",
    "Redis",
    "Resilience",
    "RetriesSettings",
    "Section",
    "Server",
    "Settings",
    "StickyHeader",
    "Tls",
    "TokenSettings",
]
