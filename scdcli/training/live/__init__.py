"""Labelled pairs made while training, batched in torch: no two steps see the same pair."""
