-- Extends the hold of a job and period to p_seconds from now, for the run that has it; returns false if another run has
-- it now.
CREATE OR REPLACE FUNCTION aichat.hold_job(
    p_job text, p_period text, p_holder uuid, p_seconds double precision
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.work_list', 'on', true);
    UPDATE aichat.job_runs AS r SET held_until = clock_timestamp() + make_interval(secs => p_seconds)
    WHERE r.job = p_job AND r.period = p_period AND r.holder = p_holder;
    RETURN FOUND;
END
$$;
