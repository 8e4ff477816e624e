"""One YAML file, the environment and flags → validated settings → the compiled snapshot a worker runs on.

load          the way through all of it; what other packages call
source        which file counts
presets       providers that are known by name
environment   the one reader of the environment, and the variables that mean something
document      YAML → plain values and their lines
references    `${VAR}`, `${VAR:-default}`, `file:/path`
master_keys   how keys that encrypt secrets are written
draft         values by location, each with the place it came from
layers        what environment and flags lay over the file
inheritance   what sections leave to a preset, to their deployments or to `resilience`
sinks         the sinks in a draft: their types, in `sink_kinds`, and what each of these needs
schema        every setting, declared once; `fields` holds the kinds of values, `addresses` reads URLs
validate      draft → settings, or every problem at once; `checks` holds the rules between settings, and
              `model_checks` those on models
proxies       which proxy the environment names for a provider
compile       settings → snapshot, server plan, token digests; `deployments` compiles providers, `aliases` models
redis_client  from the address of a Redis server, which `redis_address` reads, to a connection
problem       what is wrong and where
reference     the settings as a list, and as a JSON Schema
show          what may be shown of a configuration, and what a restart is needed for
difference    what differs between two configurations
"""
