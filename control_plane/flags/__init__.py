"""Every environment flag; the environment is the emergency brake above the ledger's flips and the defaults.

Importing this costs about 0.2 s, so only what opens a control plane imports it.
"""

from .declared import Flags
from .reading import FIELDS, Explained, Source, check_flip, explain, read_flags

__all__ = ["FIELDS", "Explained", "Flags", "Source", "check_flip", "explain", "read_flags"]
