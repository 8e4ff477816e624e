"""One YAML file, the environment and flags → validated settings → the compiled snapshot a worker runs on.

load          the way through all of it; what other packages call
source        which file counts
environment   the one reader of the environment, and the variables that mean something
document      YAML → plain values and their lines
references    `${VAR}`, `${VAR:-default}`, `file:/path`
master_keys   how keys that encrypt secrets are written
draft         values by location, each with the place it came from
layers        what environment and flags lay over the file
schema        every setting, declared once; `fields` holds the kinds of values, `addresses` reads URLs
validate      draft → settings, or every problem at once; `checks` holds the rules between settings
proxies       which proxy the environment names for a provider
compile       settings → snapshot, server plan, token digests
problem       what is wrong and where
reference     the settings as a list, a JSON Schema, a page
show          what may be shown of a configuration, and what a restart is needed for
"""
