"""The processes of one node: started in order, watched, restarted, drained. Standard library only.

orders          what the command line asks for
loop            the shell: signals, children and the channel to control, one event at a time
control_line    our end of that channel
node            the core: what to do when a process is ready, dies or must stop
backoff         how long to wait before a process is started again
commands        the command line of each process
processes       starting and reaping processes
pulses          who has given no sign of life
address         is the address free, and reserving it for the workers
site            what a node occupies: data directory, address, pid files
run_directory   lock, pid file and sockets of a node
pid_file        a file that says which process runs, and whether it still does
signals         signals as bytes to read
descriptors     how many files may be open
demo            a place for the mock provider, and a token
daemon          going into the background
announcement    what is printed once the node is ready
log             the supervisor's own log lines
"""
