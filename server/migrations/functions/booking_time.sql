-- When a turn that ends now occurs: by the database's clock, which is the only one, and never in books that are closed,
-- should that clock have been put back. The lock comes first, and before every lock of quotas: what is booked under it
-- is there before its month can be closed.
CREATE OR REPLACE FUNCTION aichat.booking_time(p_org_id uuid) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.books_lock(p_org_id));
    RETURN greatest(
        clock_timestamp(), (SELECT c.closed_until FROM aichat.closed_books AS c WHERE c.org_id = p_org_id)
    );
END
$$;
