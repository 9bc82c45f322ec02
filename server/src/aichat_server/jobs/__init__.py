"""The scheduled jobs: who runs which, and how they are doing."""
