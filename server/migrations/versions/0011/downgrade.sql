DROP TABLE aichat.job_runs, aichat.outbox;
