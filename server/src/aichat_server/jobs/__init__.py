"""The scheduled jobs: which process runs which, and their state."""
