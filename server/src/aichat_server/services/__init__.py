"""Use cases: what the product does, one short unit each."""
