"""A finished prediction as something to look at: one page, and pages of many."""
