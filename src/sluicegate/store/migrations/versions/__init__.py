"""One file for each version of the tables, numbered; `store/version.py` names the newest."""
