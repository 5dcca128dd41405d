"""Labelled sets: their files, legends, layouts and scenes, read as samples and looked through."""
