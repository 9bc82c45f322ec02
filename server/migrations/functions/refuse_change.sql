-- Rows of the ledger never change, not even for the owner.
CREATE OR REPLACE FUNCTION aichat.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = TG_TABLE_NAME || ' is added to, never changed';
END
$$;
