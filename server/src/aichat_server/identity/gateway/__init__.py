"""Identity: the way to other technologies."""
