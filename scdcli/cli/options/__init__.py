"""Options that commands share, and what they are turned into."""
