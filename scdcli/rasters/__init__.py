"""Scenes on disk: opened, aligned, stretched and read by windows; maps written."""
