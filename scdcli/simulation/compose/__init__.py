"""Labelled pairs made from single-date labelled images: what changed, and what only looks so."""
