UPDATE aichat.generations SET stop_reason = NULL WHERE stop_reason = 'other';
ALTER TABLE aichat.generations
    DROP CONSTRAINT generations_stop_reason_check,
    ADD CONSTRAINT generations_stop_reason_check
        CHECK (stop_reason IN ('end_turn', 'max_tokens', 'stop_sequence')) NOT VALID;
