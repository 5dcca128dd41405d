"""What QGIS opens: a project of a prediction, and the plugin that makes predictions."""
