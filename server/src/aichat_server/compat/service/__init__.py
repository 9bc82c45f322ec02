"""Compatible APIs: how a call is served."""
