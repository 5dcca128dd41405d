"""Scores: counting, metrics, intervals, tables and pictures of systems compared."""
