"""Measuring: a mock provider, a load generator, reports, and a comparison with other proxies.

mock/      the provider to measure against
load/      requests at a fixed concurrency or a fixed rate
report/    numbers from samples, as text, JSON and a picture
measure    CPU time and memory of a process and its children
peers/     other proxies, each with its configuration
compare    all of them side by side on the same mock
"""
