"""Payments: values and rules, without I/O."""
