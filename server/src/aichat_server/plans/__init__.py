"""What an organisation gets, and may do at most, by the plan that it is on."""
