-- What is on the books stays as it is, also for the owner.
CREATE OR REPLACE FUNCTION aichat.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = TG_TABLE_NAME || ' is added to, never changed';
END
$$;
