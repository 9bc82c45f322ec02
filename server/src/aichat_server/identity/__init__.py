"""Who calls: organisations, members, API keys and session tokens."""
