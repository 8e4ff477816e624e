"""Secrets in the database: sealed with a master key that is not in it.

key_ring     sealing and opening, with several keys
master_key   where the keys come from: the setting, or a file beside the data that is made at the first start
answers      what is kept for repeated requests is sealed too, and follows the keys
rotation     from old keys to a new one, row by row, while the gateway serves
upkeep       what an operator does with the keys: look at them, rotate them, forget old ones
"""

from sluicegate.control.secrets.key_ring import KeyRing as KeyRing
from sluicegate.control.secrets.key_ring import TamperedError as TamperedError
from sluicegate.control.secrets.key_ring import UnknownKeyError as UnknownKeyError
