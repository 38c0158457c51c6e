-- The edge hears of each change of an organization's relationships, with the token that a read needs to see
-- it, and may compare what SpiceDB shall hold with its own rows.

CREATE FUNCTION permissions.tell_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('permissions', NEW.organization || ' ' || NEW.zed_token);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE ON permissions.tokens
    FOR EACH ROW EXECUTE FUNCTION permissions.tell_change();

-- Every organization's: whoever compares must see what belongs to none that is known.
CREATE VIEW read.relationships AS
    SELECT resource, relation, subject, organization FROM permissions.relationships;
GRANT SELECT ON read.relationships TO amply_edge;
