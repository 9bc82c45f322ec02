"""Models: values and rules, without I/O."""
