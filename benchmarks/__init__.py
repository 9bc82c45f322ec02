"""Side-by-side measurements of the hot path: `make bench`."""
