"""How the values of AFTER may be brought to those of BEFORE, by name."""

METHODS = ("none", "match", "pif")
DEFAULT_METHOD = "none"
