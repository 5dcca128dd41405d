"""Labelled pairs that are made: drawn, or composed from labelled images of one date."""
