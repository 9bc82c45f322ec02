"""Generations: the use cases."""
