-- Keys that were minted before could do whatever their member could, and go on so.
ALTER TABLE aichat.api_keys ADD COLUMN role text NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'member'));
ALTER TABLE aichat.api_keys ALTER COLUMN role SET DEFAULT 'member';
COMMENT ON COLUMN aichat.api_keys.role IS 'The most that the key may do; no more than its member may.';
