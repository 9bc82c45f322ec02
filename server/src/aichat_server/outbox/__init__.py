"""Messages to external services: each is stored together with its subject, and sent later."""
