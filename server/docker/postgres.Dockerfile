# The truth: messages, keys, the books.
FROM postgres:18.4-alpine@sha256:9a8afca54e7861fd90fab5fdf4c42477a6b1cb7d293595148e674e0a3181de15
ENV POSTGRES_DB=aichat \
    POSTGRES_INITDB_ARGS="--auth-host=scram-sha-256 --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8"
# What is in this folder is run once, on an empty volume.
COPY server/docker/owner.sql /docker-entrypoint-initdb.d/
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=5 \
  CMD pg_isready --host 127.0.0.1 --username postgres --dbname aichat
CMD ["postgres", "-c", "max_connections=200"]
