"""How the values of AFTER may be brought to those of BEFORE, by name.

A module of its own, as both the settings of a pair and what they turn on read it.
"""

METHODS = ("none", "match", "pif")
DEFAULT_METHOD = "none"
