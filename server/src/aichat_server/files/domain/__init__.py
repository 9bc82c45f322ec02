"""Files: what they are, found in their bytes."""
