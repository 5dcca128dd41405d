"""Areas that can be reported: a sample of a map, what people judge of it, and estimates."""
