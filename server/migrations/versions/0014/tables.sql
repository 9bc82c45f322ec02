-- Why a model ended may be something else than what we have a name for. Not checked for what is there: that kept to the
-- narrower rule.
ALTER TABLE aichat.generations
    DROP CONSTRAINT generations_stop_reason_check,
    ADD CONSTRAINT generations_stop_reason_check
        CHECK (stop_reason IN ('end_turn', 'max_tokens', 'stop_sequence', 'other')) NOT VALID;
