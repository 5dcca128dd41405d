"""From runs of pixels to regions, their outlines, and one polygon per region."""
