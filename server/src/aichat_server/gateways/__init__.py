"""The rest of the outside world, one technology a file."""
