"""From a pair to a folder: chips, views, blending, classes, files; resumed where it stopped."""
