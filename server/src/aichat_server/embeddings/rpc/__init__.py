"""EmbeddingService over gRPC."""
