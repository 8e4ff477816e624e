"""The management API: `table` lists it, one file for each subject.

table           every path, its methods and who may use it; `route` is the form of a row
projects, tokens, own_key, own_usage                    what callers use, and what they may know of it
limits, prices                                          what bounds them, and what models cost
organizations, users, user_rows, bulk, api_keys         who they are
requests, request_rows, consumption                     what was asked, and what was used in some time
request_bodies                                          what was said, where that is kept
credentials                                             projects' own keys for providers
admin_keys, accounts, audit                             who manages, and what they did
models                                                  what callers may use
node, node_state, workers, configuration, deployments   this node
consumers                                               what reads its journal
log_level                                               what it logs
explaining                                              why a request would go where it goes
documentation                                           `/openapi.json` and `/docs`
metrics                                                 `/metrics`
body, money, paging, cells, entity_tags, idempotency    what all of them speak
"""
