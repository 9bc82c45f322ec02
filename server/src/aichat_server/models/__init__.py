"""The models, what they cost, and what usage of them is counted in."""
