"""Compatible APIs: what is stored for them."""
