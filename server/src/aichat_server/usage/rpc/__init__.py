"""Usage: the contract in protobuf and gRPC."""
