"""E-mail: `domain` defines what a mailer does, and `gateway` implements it with templates and an SMTP server."""
