"""Redis: the only way to call it, and its scripts."""
