"""Billing: the contract in protobuf and gRPC."""
