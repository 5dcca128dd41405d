"""Two scenes as one: on one grid, in one range of values, with a record of what was done."""
