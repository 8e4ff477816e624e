"""Pure values and decisions: no socket, clock, environment or event loop.

tenants         who uses an installation, and who manages them;  ids   sortable, prefixed identifiers
tokens          what a caller's credential is reduced to;  issuing   new ones, with a checksum against mistyped ones
principal       who is calling and what they may do
owner_marks     what stands in announcements for tokens that files declare
audit           the chain of audit entries

snapshot        the compiled configuration a worker runs on;  paths   which first segments are the gateway's own
routing         which deployments may answer, by names alone;  picking   which of them does;  stickiness   for how long
breaker         when a deployment is left alone;  latency   how slow it is
concurrency     how many requests it is given at once;  fair_queue   those that wait for that, owner by owner
retrying        whether a failed request goes again, and when
errors          every failure a client can see: status, code, whether a retry can cure it
plugins         what a plugin is shown, and may answer

limits          how much of what, in which window, for whom;  default_limits   of those who have no other
windows         what counts at a moment, since when and until when
leases          what a ledger's account does with each operation;  holdings   units of one that a worker holds
bounds          the most an exchange may take;  fallback   what it may while the ledger cannot be asked
usage           what one exchange consumed, in tokens
pricing         what that costs;  money   decimal dollars and exact nano-dollars

events          the one record an exchange leaves behind;  segments   how the files that hold it are named
underway        what a worker notes of an exchange until there is that record
usage_rows      what the request log keeps of it: `request_blocks` how; `usage_sums` what exchanges add up to
request_bodies  what was said, where that is kept;  redaction   and what is taken out before
"""
