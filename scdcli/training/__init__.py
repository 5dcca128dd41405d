"""A training run: settings, data order, steps, validation, stages, the files it leaves."""
