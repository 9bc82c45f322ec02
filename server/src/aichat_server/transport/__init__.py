"""The frame around every RPC: limits, validation, errors, deadlines, drain. Features hand it their steps."""
