"""Outputs that appear whole or not at all; names in messages; tables of pairs."""
