"""Labelled pairs made from single-date labelled images: real changes and nuisance."""
