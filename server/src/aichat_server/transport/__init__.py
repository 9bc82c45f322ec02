"""The frame around every RPC: limits, validation, errors, deadlines, drain. Features add their steps."""
