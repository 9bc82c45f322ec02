-- What is done with is forgotten after a time, and that of a generation only once no message is left of it.
GRANT DELETE ON aichat.generations, aichat.failures, aichat.quota_warnings TO aichat_app;
CREATE INDEX messages_by_generation ON aichat.messages (org_id, generation_id) WHERE generation_id IS NOT NULL;
