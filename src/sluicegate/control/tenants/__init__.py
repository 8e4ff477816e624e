"""What managers do to tenants: who may, in one transaction with its line in the audit log, told to every node.

actor           who asks, and which organisations they may see
tenancy         what the use cases reach, and the transaction that all of them change things in
audit           the line in the audit log, and reading it
projects, tokens, credentials, own_key                  what callers use
callers                                                 who a route is explained for
limits, bounds, usage, prices                           what bounds them, what was used, what models cost
request_log, consumption                                what was asked, and what was used in some time
request_bodies                                          what was said, where that is kept
declared                                                what bounds the owners of tokens that files declare
organizations, users, user_import, affected             who they are
admin_keys, accounts, key_uses                          who manages, and when they last did
census          how many of each there are
"""
