"""Compatible APIs: the way to other technologies."""
