"""Limits: values and rules, without I/O."""
