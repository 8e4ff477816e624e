"""Bytes without I/O: what arrives and leaves, parsed and built, by no socket.

answers     the head of a provider's answer, sorted
chunks      plain chunks, read without the full parser
target      a request's path, decoded and checked before anything is decided by it
headers     which header fields travel, and which mean something to us
trace_context   the trace that a request belongs to
retry_after when a provider says it may be asked again
sse         server-sent events: splitting and writing
caps        how much a JSON request lets a model write, and what of it is to be read
reach       how much a JSON request makes a model read, with what its bytes lead to
peek        reading and splicing top-level JSON fields without re-encoding
stated      whether a JSON request states anything of its cost;  stand_ins   which models it names beside its own
tiers       fields of a JSON request by which it costs more than its model's standard rates;  paid_tools   and tools
conversation   what tells one conversation, or user, from another
link        messages between a worker and its control process;  pulse   a process's sign of life for its supervisor
"""
