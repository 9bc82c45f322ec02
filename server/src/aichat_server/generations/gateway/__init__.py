"""Generations: the way to other technologies."""
