"""Tokens declared in a JSON file, which people edit while the gateway writes into it how much each was used.

entries       the file's text → its entries, or every problem at once
usage         how much a key was used, as the file has it, and adding to it
remembered    what it had before, to tell an edit that was made from an older copy
exchanging    two names of files change places at once
replacing     a new content in the place of the old one, whoever else writes and whenever somebody is killed
declared      the keys in force: loaded, loaded again after an edit, written back
"""
