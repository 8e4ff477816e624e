"""Pure values and decisions: no socket, clock, environment or event loop.

ids         sortable, prefixed identifiers
tokens      what a caller's credential is reduced to: its digest, and what may be shown of it
issuing     new tokens, and the checksum that tells a mistyped one
tenants     who uses an installation, and who manages them
owner_marks what stands in announcements for tokens that files declare
money       decimal dollars and exact nano-dollars
audit       the chain of audit entries
principal   who is calling and what they may do
holdings    units of an account that a worker holds
bounds      the most an exchange may take
usage       what one exchange consumed, in tokens
events      the one record an exchange leaves behind
usage_rows  what the request log keeps of it: `request_blocks` how; `usage_sums` what exchanges add up to
underway    what a worker notes of an exchange until there is that record
errors      every failure a client can see: status, code, whether a retry can cure it
paths       which first segments of a path are the gateway's own
snapshot    the compiled configuration a worker runs on
"""
