"""Polygons as files: one writer, and what GDAL does not do for each format."""
