"""`sluicegate manage`: organisations, projects, users, tokens, limits, prices, managers of a gateway, over HTTP.

- `groups`: the commands, one group for each kind of object
- `organizations`, `projects`, `provider_keys`, `users`, `tokens`, `limits`, `prices`, `admin_keys`, `accounts`,
  `requests`: the commands of one kind
- `options`: what every command takes, and the session it gets for it
- `operations`: create, list, show, update, remove: the same for every kind
- `kinds`: what tells the kinds apart: paths, ids, columns
- `credential`: where secrets are read from, and where a new one goes
- `values`: what an option's text means
- `client`: one request, its answer, or why there is none
- `failure`: what went wrong, and the exit status that says so
- `display`: tables for people, JSON for scripts, bare ids
"""

from sluicegate.cli.manage.groups import app

__all__ = ["app"]
