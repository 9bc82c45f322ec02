"""Mail: the way to other technologies."""
