"""Schedules and queues the platform's jobs. The server's use cases do their work."""
