"""The data plane, one process per worker: read it downwards, it is the path of a request.

worker      the process: what it starts with, its signals, its end
listener    accepts clients;  client   one client's connection;  secured   TLS, on both sides
heads       what a request's head says, and how one that comes again is known
exchange    one request and its answer;  pipeline   the stages it goes through;  stages/   one file each
routes      where a request line leads;  azure   models in Azure's paths;  local   what a worker answers by itself
request_body   held whole, or passed on as it comes;  estimate   its tokens, where no provider can count them
selection   who may answer, and who does;  verdicts   what an answer says of its deployment
providers   the runtime of one provider;  pool, connector, upstream   its connections;  addresses   whom its name means
standing    a connection that is nobody's yet
outgoing    a request as its provider gets it
retrial     what failed goes again;  attempts   what was tried;  stale   connections closed while nobody looked
relay       an answer on its way to the client;  taps   what watches a side copy of it
replies     answers of our own;  away   those for the control process;  cors   for which pages;  tunnel   upgraded ones
budgets     who may begin, waits or is refused;  purses   the limits of one principal;  borrower   where units come from
refusals    what a caller is told of its limits;  overrun   answers that only we bound;  prices   what models cost
unmetered   what nobody can bound
principals  who the callers are;  strangers   who asks in vain;  link   the way to the control process
files       whether any can still be opened
journal     the record of every exchange;  underway   what is sent and not in it yet;  turn   what ends in one loop turn
bodies      copies for whoever looks later;  plugins   what only this installation does
services    what an exchange can reach;  sweep   deadlines;  health   how deployments and journal do, told to control
"""
