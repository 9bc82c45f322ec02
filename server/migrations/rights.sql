-- The server's role may call every function of the schema, and nobody else may.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat TO aichat_app;
