"""Notices: what people may want to be warned of, told once, as lines beside the workers' events.

notices     take them, write them; nothing waits for that
remembered  what was told already, over restarts
budgets     a limit is used up to one of the configured shares
circuits    a deployment is left alone, or asked again
withering   a token is about to end
degraded    requests were admitted without the ledger
warnings    these four on one node, put together

What they look like is told in `domain/events.py`; who is warned is the business of sinks.
"""
