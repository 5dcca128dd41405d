"""Pictures of scores and of pairs."""
