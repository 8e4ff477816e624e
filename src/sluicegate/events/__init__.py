"""The journal's other end: every worker's events, read once by every consumer.

segments    which segment files there are, and whether their writers live
locks       files that are locked by whoever writes to them, or runs
checkpoint  how far one consumer has read, and a file to keep that in
underway    what a dead writer had sent and not recorded
tail        the lines of one incarnation, in order
reader      all incarnations together
consumer    reading for one purpose for ever;  checkpoint_store   where it keeps how far it is
retention   which segments are beyond what is kept
disposal    deleting these
notices     segments that control writes
redis_stream  events in a Redis stream;  redis_reader is one of those that share it, stream_group how all of them stand
dispatcher  feeding one sink from a process of its own
sinks/      sending events to other systems

Workers write the segments (`gateway/journal.py`), which are named in `domain/segments.py`; what their lines hold is
told in `domain/events.py`.
"""
