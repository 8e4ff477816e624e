"""The commands of `sluicegate manage`, one group for each kind of object."""

from sluicegate.cli.manage import accounts, admin_keys, limits, organizations, prices, projects, requests, tokens, users
from sluicegate.cli.manage.options import group

app = group(
    "Manage organisations, projects, users, tokens, limits, prices, admin keys and accounts of a running"
    " gateway, and look at its requests."
    " Exit status: 0 done, 2 wrong usage, 3 not found, 4 refused, 5 not reachable, 6 conflict, 1 anything else."
)
app.add_typer(organizations.app, name="organization")
app.add_typer(projects.app, name="project")
app.add_typer(users.app, name="user")
app.add_typer(tokens.app, name="token")
app.add_typer(limits.app, name="limit")
app.add_typer(prices.app, name="price")
app.add_typer(admin_keys.app, name="admin-key")
app.add_typer(accounts.app, name="account")
app.add_typer(requests.app, name="request")
