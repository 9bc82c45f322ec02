"""Compatible APIs: their wire forms over HTTP bodies."""
