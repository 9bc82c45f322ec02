"""Authentication and access: organisations, members, API keys and session tokens."""
