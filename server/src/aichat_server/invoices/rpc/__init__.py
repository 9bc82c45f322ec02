"""Invoices: the contract in protobuf and gRPC."""
