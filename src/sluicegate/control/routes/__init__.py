"""The management API: `table` lists it, one file for each subject.

table           every path, its methods and who may use it
node            what this is
configuration   the configuration in force, and loading it again
workers         the worker processes
"""
