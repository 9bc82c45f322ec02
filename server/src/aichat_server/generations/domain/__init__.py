"""Generations: values and rules, without I/O."""
