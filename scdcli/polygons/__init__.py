"""What changed, from a finished map: runs, regions, polygons on file, areas and tables."""
