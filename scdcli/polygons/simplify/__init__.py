"""Polygons with fewer vertices, alike on both sides of every border."""
