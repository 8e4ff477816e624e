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
sinks       where events are sent to
bodies      what is kept of what was sent and answered
metrics     who may read them
notices     what people are warned of
logs        what the control process logs
settings    declared tokens, and the file as a whole
"""

from sluicegate.config.schema.limits import MOST_COUNTED, LimitDefaults, LimitSettings, LimitsSettings, Redis
from sluicegate.config.schema.logs import LogSample, LogSettings
from sluicegate.config.schema.metrics import Metrics
from sluicegate.config.schema.models import ModelSettings, ModelTarget, StickyHeader
from sluicegate.config.schema.notices import NoticeSettings
from sluicegate.config.schema.prices import PriceService, PriceSettings, PriceTier, RateSettings
from sluicegate.config.schema.providers import AllowEntry, DeploymentSettings, ProviderSettings
from sluicegate.config.schema.resilience import (
    CircuitSettings,
    ConcurrencySettings,
    ProviderTimeouts,
    Resilience,
    RetriesSettings,
)
from sluicegate.config.schema.section import Section
from sluicegate.config.schema.server import Admin, Events, Issuing, Limits, RequestLogSettings, Server, Tls
from sluicegate.config.schema.settings import Settings, TokenSettings
from sluicegate.config.schema.sinks import BatchSettings, FilterSettings, SinkRetries, SinkSettings

__all__ = [
    "MOST_COUNTED",
    "Admin",
    "AllowEntry",
    "BatchSettings",
    "CircuitSettings",
    "ConcurrencySettings",
    "DeploymentSettings",
    "Events",
    "FilterSettings",
    "Issuing",
    "LimitDefaults",
    "LimitSettings",
    "Limits",
    "LimitsSettings",
    "LogSample",
    "LogSettings",
    "Metrics",
    "ModelSettings",
    "ModelTarget",
    "NoticeSettings",
    "PriceService",
    "PriceSettings",
    "PriceTier",
    "ProviderSettings",
    "ProviderTimeouts",
    "RateSettings",
    "Redis",
    "RequestLogSettings",
    "Resilience",
    "RetriesSettings",
    "Section",
    "Server",
    "Settings",
    "SinkRetries",
    "SinkSettings",
    "StickyHeader",
    "Tls",
    "TokenSettings",
]
