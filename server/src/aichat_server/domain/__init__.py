"""What the product knows without asking anyone: plain values and arithmetic, no I/O."""
