"""`scd`: what changed on the ground, from which land cover to which."""

__version__ = "0.1.0"
