"""A module of exercises for each notebook, and their marking."""
