DROP FUNCTION aichat.find_turn;

-- What was cancelled was broken off. The owner is held by row-level security like everybody else, unless it is lifted.
ALTER TABLE aichat.generations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE aichat.messages NO FORCE ROW LEVEL SECURITY;
UPDATE aichat.generations SET state = 'interrupted' WHERE state = 'cancelled';
UPDATE aichat.messages SET state = 'interrupted' WHERE state = 'cancelled';
ALTER TABLE aichat.generations FORCE ROW LEVEL SECURITY;
ALTER TABLE aichat.messages FORCE ROW LEVEL SECURITY;

ALTER TABLE aichat.generations
    DROP CONSTRAINT generations_state_check,
    ADD CONSTRAINT generations_state_check CHECK (state IN ('running', 'complete', 'failed', 'interrupted'));
ALTER TABLE aichat.messages
    DROP CONSTRAINT messages_state_check,
    ADD CONSTRAINT messages_state_check CHECK (state IN ('complete', 'failed', 'interrupted'));
