"""Conversations: the contract in protobuf and gRPC."""
