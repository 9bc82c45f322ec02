"""The whole platform on one machine: real Postgres, Redis and Envoy, and stand-ins for external services."""
