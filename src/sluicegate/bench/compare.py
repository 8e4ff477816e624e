"""`python -m sluicegate.bench.compare`: proxies side by side on one machine, in one run, before one mock provider.

Rounds are interleaved (A B C A B C), one proxy runs at a time, and all that counts are ratios within the run: what
else the machine does, and how fast it is, meets all proxies alike.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import uvloop

from sluicegate.bench.certificates import Certificates, make_certificates
from sluicegate.bench.measure import machine, processor_seconds
from sluicegate.bench.peers.base import Launch, Peer, PeerMissingError, Site
from sluicegate.bench.peers.table import named
from sluicegate.bench.program import Program, StartError, free_port, running
from sluicegate.bench.request import Target
from sluicegate.bench.results import Comparison, Contender, Round, as_json, as_markdown
from sluicegate.bench.sections import (
    CONNECTIONS,
    HELD_RATE,
    STREAM_RATE,
    STREAMS,
    StreamMemory,
    Subject,
    cost_of_events,
    cost_of_requests,
    delay_at,
    memory_of_streams,
    warm_up,
)
