"""Files: over gRPC."""
