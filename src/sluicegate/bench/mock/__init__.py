"""A provider that is none: it speaks three APIs, at any pace, and fails on demand.

settings     how it behaves; what a request may ask for instead; the faults
request      a request as received
asked        the fields of a body that change the answer
answers      an answer as bytes
openai       answers of the OpenAI API
anthropic    answers of the Anthropic Messages API
gemini       answers of the Gemini API
routes       which path is answered how
script       an answer turned into timed writes, with the fault worked in
websocket    the echo behind /v1/realtime
counters     what was asked and served
connection   one client connection
server       listens, decides, counts: `start_mock`
"""

from sluicegate.bench.mock.server import MockServer, start_mock
from sluicegate.bench.mock.settings import Fault, MockSettings, SettingError, parse_fault

__all__ = ["Fault", "MockServer", "MockSettings", "SettingError", "parse_fault", "start_mock"]
