"""The models, their prices, and the units of their usage."""
