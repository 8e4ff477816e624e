"""The control plane of one node: everything that is not on the path of a request.

__main__        the process: `beginning`, then `process`
channel         what it and the supervisor tell each other
beginning       which configuration to run on, and the supervisor's word to begin
loading         the sources of the configuration, and loading it from them
last_good       what a control process leaves to its successor
process         from there to its exit status: the storage opened, and a service run on it
service         all parts of the process, put together
clocks          the time, in the units that they want
supervision     its end of the channel
configuration   the configuration in force, and changing it while the node runs
watch           noticing that the configuration file changed
link_server     the workers' link: snapshots and answers to their questions
workers         which workers there are, and how providers fare at each
offers          which models are on offer, and to whom
explanation     why a request would go where it goes
known_tokens    the tokens of files and of the database, put together
token_directory whose token a digest belongs to
resolution      looking digests up in the database, and following its changes
limits          leases for workers from the ledger, and settling what their journals tell
storage         the database, the key ring and the ledger, opened
tenants         what managers do to organisations, projects, users and tokens
secrets         sealing what the database keeps of secrets, and the keys to it
key_file        tokens declared in a JSON file that people edit
prices          what models cost, and for whom
metrics         what is counted of events, and the rest of what Prometheus is shown
readers         everything that reads the journal here, run together
consumers       their names, and how each fares;  usage_log   writing the journal into the database
bodies          keeping bodies of requests, where a project wants that
sinks           feeding other systems from it, as the configuration says
dispatched      how far others have come that do this
database_checkpoint  how far consumers have come that keep what they made of events in the database
retention       deleting old events;  upkeep   deleting what the database need not keep;  steps   little by little
counting        counting tokens for exchanges whose provider did not
counting_queue  one count after the other, beside the event loop;  counting_process  in a process of its own
management      the management API put together, once the workers are served
application     the management API: `routes` lists it, `access` guards it, `problems` are what it refuses with,
                `problem_answers` words them
query           which names a query may have
context         what its routes can reach;  openapi   its description;  passwords   managers' passwords
web             serving it on a Unix socket
logs            log lines: their form, which are written, and that no secret is in them;  log_sample  of many alike
notices         what people may want to be warned of, written beside the workers' events
"""
