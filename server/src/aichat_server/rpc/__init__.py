"""The only place that knows protobuf and gRPC: servicers, interceptors, the table of errors, page tokens."""
