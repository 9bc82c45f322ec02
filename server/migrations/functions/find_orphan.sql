-- Returns a running generation as it began, for the worker that ends it: member_id, sink, model, provider, started_at,
-- options; null if it does not run. p: org_id, generation_id.
CREATE OR REPLACE FUNCTION aichat.find_orphan(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    RETURN (
        SELECT json_build_object(
            'member_id', g.member_id, 'sink', g.sink, 'model', g.model, 'provider', g.provider,
            'started_at', g.started_at, 'options', g.options
        )
        FROM aichat.generations AS g
        WHERE g.org_id = (p ->> 'org_id')::uuid AND g.generation_id = (p ->> 'generation_id')::uuid
          AND g.state = 'running'
    );
END
$$;
