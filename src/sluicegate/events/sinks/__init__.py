"""Sinks: events sent to other systems, each at least once.

base          what a sink is, and how it says that something went wrong
table         from the configuration to a sink that is ready; its types are listed in `config/sink_kinds.py`
selection     which events are sent, and which of their fields
decisions     what is sent together, what is tried again and when, what is given up; pure
engine        the one loop that does what `decisions` says
feeding       under which name a sink is fed, and where it is kept how far that is, by whomever
dead_letters  the file of what was given up, and sending that again
http          one request, and what its answer means
times         an event's moments
genai         OpenTelemetry's names for what models do;  spans   exchanges as its spans; both pure
sigv4         signatures of AWS requests; pure
aws           requests in the manner of the AWS JSON protocol
rotated_file  what the sink `file` writes to
pipe          the same where that is none, but a pipe or a terminal

The rest are the sinks, one file each, named as their type: file, redis, webhook, otlp, langfuse, helicone, lunary,
eventbridge, cloudwatch. To add one: that file with a `make`, and one line in `config/sink_kinds.py`.
"""
