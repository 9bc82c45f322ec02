# The wire. What it holds may be lost, but is never dropped to make room: a write that does not fit fails.
FROM redis:8-alpine
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=5 CMD redis-cli ping | grep -q PONG
CMD ["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
