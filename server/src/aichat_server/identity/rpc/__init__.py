"""Identity: the contract in protobuf and gRPC."""
