"""The platform's jobs: when they run and how they are queued. What they do is the server's use cases."""
