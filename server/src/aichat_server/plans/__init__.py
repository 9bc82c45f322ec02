"""What an organisation gets and may do, by its plan."""
