-- Takes a generation that has ended off the list of those whose lease has expired. p: org_id, generation_id.
CREATE OR REPLACE FUNCTION aichat.forget_orphan(p jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    DELETE FROM aichat.leases AS l USING aichat.generations AS g
    WHERE l.org_id = (p ->> 'org_id')::uuid AND l.generation_id = (p ->> 'generation_id')::uuid
      AND g.org_id = l.org_id AND g.generation_id = l.generation_id AND g.state <> 'running';
END
$$;
