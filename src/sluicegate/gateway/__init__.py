"""The data plane, one process per worker: read it downwards, it is the path of a request.

worker      the process: what it starts with, its signals, its end
listener    accepts clients;  client   one client's connection;  secured   TLS, on both sides
heads       what a request's head says, and how one that comes again is known
exchange    one request and its answer;  pipeline   the stages it goes through;  stages/   one file each
routes      where a request line leads;  local   what a worker answers by itself
providers   the runtime of one provider;  pool, connector, upstream   its connections
outgoing    a request as its provider gets it
relay       an answer on its way to the client;  taps   what watches a side copy of it
replies     answers of our own;  away   those for the control process;  tunnel   upgraded connections
budgets     who may begin, waits or is refused;  purses   the limits of one principal;  borrower   where units come from
refusals    what a caller is told of its limits;  overrun   answers that only we bound;  prices   what models cost
principals  who the callers are;  link   the way to the control process
journal     the record of every exchange;  underway   what is sent and not in it yet;  turn   what ends in one loop turn
services    what an exchange can reach;  sweep   deadlines
"""
