"""Model files, what they expect of a pair, and the devices they run on."""

DEFAULT_MODEL = "urban"
