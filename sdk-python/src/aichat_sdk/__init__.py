"""The typed client of the AI chat platform."""
