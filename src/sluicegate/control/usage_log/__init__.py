"""The journal in the database: the log of recent requests, and what all requests add up to.

keeping     both together
recording   one transaction for each batch of events: rows, sums and how far that is
pruning     what is too old or too much goes, a little at a time
"""
