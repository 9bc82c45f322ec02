"""Compatible APIs: what is asked, without any technology."""
