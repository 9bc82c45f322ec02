"""What is deleted when its time is over."""
