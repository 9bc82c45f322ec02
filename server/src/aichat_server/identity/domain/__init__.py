"""Identity: values and rules, without I/O."""
