"""A drawn but plausible aerial world with SECOND's six classes, at two dates."""

from scdcli.simulation.world.pair import WorldPair, draw_pair

__all__ = ["WorldPair", "draw_pair"]
