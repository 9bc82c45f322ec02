"""The AI chat platform's server."""
