"""Providers: values and rules, without I/O."""
