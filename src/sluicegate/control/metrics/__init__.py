"""What a node counts and shows to Prometheus: fed from the journal, so that it costs the workers nothing.

measured   what matters of an event, and which words it is counted under
tables     counters and histograms with a bounded number of label sets
tally      all that is counted of events, and what is kept of it
counting   the consumer of the journal that does so
kept       the counters and how far the journal was read, in one file
processes  what the system knows of this node's processes
sources    whatever else is shown: what the parts of the control process know at the moment
families   all of it in the words of Prometheus
exposition the answer to a scrape
dispatcher the same of a dispatcher, which answers by itself
"""
