"""Notifications: the contract in protobuf and gRPC."""
