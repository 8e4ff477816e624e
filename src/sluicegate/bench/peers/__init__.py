"""Other proxies, each started the way its users would, with all that is not needed switched off.

base            what a proxy must say about itself
table           all proxies by name
sluicegate      ourselves, with limits on the token or without
envoy, nginx    bare proxies in C++ and C, with no feature on
aiohttp         the obvious proxy in Python; aiohttp_proxy is its program
environments    where gateways that come as packages are installed when they are first asked for:
ferrogw         … in Go
smg             … in Rust
vllm_router     … in Rust
litellm         … in Python
"""
