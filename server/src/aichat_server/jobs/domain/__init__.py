"""Jobs: values and rules, without I/O."""
