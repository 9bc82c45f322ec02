# The wire. What it holds may be lost, but is never dropped to make room: a write that does not fit fails.
FROM redis:8.10.0-alpine@sha256:978f0e01593e65eed801f2402944efcd936d43b5027e4908a7897baf88ed6241
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=5 CMD redis-cli ping | grep -q PONG
# Half of what compose lets the container have: while it rewrites its file, what is written meanwhile is held twice.
CMD ["redis-server", "--appendonly", "yes", "--maxmemory", "512mb", "--maxmemory-policy", "noeviction"]
