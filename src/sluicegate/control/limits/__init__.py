"""Limits on this node: workers borrow from the ledger through here, and their journals are settled there.

limits      the parts put together
opening     the ledger that the configuration names, opened
identity    which node this is, in the ledger's eyes
teller      the ledger as one counter with one queue: batches, patience, and what happens while it is away
lender      workers' asks, answered in batches
ledger_time when a lease ends, by whose clock
recalls     having this node's other workers give back what one of them waits for
allowance   what an organisation may spend while the ledger is away
trail       one incarnation's charges, each with its place;  unsettled   those of all
charges     many charges made into few operations
settlement  settling the journal
estates     closing the accounts of holders that are gone
observing   who is shown what is used on the way

What an operation means is in `domain/leases.py`. A worker never tells what it spent: only its journal does, so a crash
of either side at any moment is nothing special.
"""
