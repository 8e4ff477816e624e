"""What exchanges leave in the database: written in bulk from the journal, searched, and removed little by little.

request_log          recent requests;  request_search   how a search gets at them
request_bodies       what was said, where that is kept
rollups              what all requests add up to
rows_at_once         how rows get in quickly
consumer_checkpoints how far those have come that write these
"""
