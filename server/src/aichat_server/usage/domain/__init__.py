"""Usage: values and rules, without I/O."""
