"""Rate limits: how many calls and tokens a minute."""
