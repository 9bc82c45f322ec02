"""What messages are made of, and how it is stored."""
