"""The `sluicegate` command: one file per command or group of commands.

main        the table of commands; loads only the one that was asked for
serve       starts a node
stop        stops a node that was started in the background
health      asks a running node how it is
config      checks, shows and compares configurations
route       explains where requests would go, over HTTP
prices      what models cost
events      prints what the workers accounted for
dispatcher  feeds one sink from a process of its own
manage      organisations, projects, users, tokens and admin keys, over HTTP
db          the database: its version, backup and restore
audit       reads and verifies the audit log
secrets     the master key: its state, and changing it
mock        a provider to try things against, without a key
benchmark   measures a running gateway

Modules here may import inside functions: that is what keeps `--help` quick.
"""
