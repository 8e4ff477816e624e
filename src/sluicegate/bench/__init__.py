"""Measuring: a mock provider, a load generator, reports, and a comparison with other proxies.

mock/          the provider to measure against
request        where the load goes and what it says
metronome      the beat of a fixed rate
answer_scan    where an answer ends and how many events it had
load           requests at a fixed concurrency or a fixed rate, timed
latency        many durations as percentiles
report         what `sluicegate benchmark` found, as a record, JSON and text
picture        latency percentiles as an SVG
compare        proxies side by side on the same mock: `python -m sluicegate.bench.compare`
peers/         other proxies, each with its configuration
program        a proxy as a running process
certificates   an authority for a provider behind TLS
held           streams that are opened and left open
measure        processor time and memory of a process and its children
sections       what is measured of each proxy
store, tokens  the database and token resolution with a million tokens
request_log    the request log with ten million requests, which `logged_requests` makes
consumers      how many events a second a control process keeps up with
traffic        what a node asks of its ledger as it is asked more
results        what a comparison found, as JSON and Markdown;  findings   what any other measurement found
"""
