"""The stages of a request, one file each, named for what they do; `gateway/pipeline.py` puts them in order:
accept, authenticate, budget, cache, forward, meter, publish."""
