"""E-mail: `domain` says what a mailer does, and `gateway` has one: the templates, and the way to an SMTP server."""
