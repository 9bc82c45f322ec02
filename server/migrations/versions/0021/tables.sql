-- The files of an organisation: what was found in their bytes, and which object of the file storage holds them. The same
-- bytes are stored once. Each object belongs to one row for good: whoever stores the bytes again after the row is gone
-- writes another object, and so a late deletion of the old one takes nothing from the new row.
CREATE TABLE aichat.files (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    object_id uuid NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL CHECK (size > 0),
    width integer NOT NULL DEFAULT 0,
    height integer NOT NULL DEFAULT 0,
    pages integer NOT NULL DEFAULT 0,
    seconds integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, sha256)
);
CREATE INDEX files_by_use ON aichat.files (org_id, used_at);
COMMENT ON COLUMN aichat.files.used_at IS
    'When it was last uploaded or named in a request, to the hour. A day later it is deleted if no message uses it.';

-- Which messages use which files. aichat.begin_turn writes it; a deleted message takes its rows along.
CREATE TABLE aichat.message_files (
    org_id uuid NOT NULL,
    message_id uuid NOT NULL,
    sha256 text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, message_id, sha256),
    FOREIGN KEY (org_id, message_id) REFERENCES aichat.messages ON DELETE CASCADE,
    FOREIGN KEY (org_id, sha256) REFERENCES aichat.files
);
CREATE INDEX message_files_by_file ON aichat.message_files (org_id, sha256);

GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON aichat.files TO aichat_app;
GRANT SELECT, INSERT, DELETE ON aichat.message_files TO aichat_app;
SELECT aichat.protect('files', 'message_files');
