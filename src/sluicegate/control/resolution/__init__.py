"""Whose token is this: workers' questions answered from the database, and every change told to all workers in time.

judgement   a stored token and its owners' states, judged into a principal
declared    tokens of files, with what the database says of their owners
lookup      questions of all workers in batches; which answers may leave
changes     following the change log: what other nodes changed, and how far the feed is true
uses        counting uses from the journal: last use, number of requests, tokens that are spent by it
trouble     which errors say that the database does not answer
resolution  the parts put together: `announce`, `announcing`, `feed`
stored      the same on the database

Why a worker never believes a token for more than a second after its revocation: docs/decisions/0003.
"""
