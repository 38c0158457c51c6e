-- What notifications owns: which mail went out for which entry. No address, no name, no text.

CREATE SCHEMA notifications;
GRANT USAGE ON SCHEMA notifications TO amply_notifications, amply_operations;

CREATE TABLE notifications.mails (
    organization text        NOT NULL,
    entry_id     text        NOT NULL,
    outcome      text        NOT NULL CHECK (outcome IN ('sent', 'nothing_to_send', 'refused')),
    smtp_code    integer     CHECK ((smtp_code IS NOT NULL) = (outcome = 'refused')),
    settled_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entry_id, organization)
) PARTITION BY HASH (organization);

DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE notifications.%I PARTITION OF notifications.mails FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
            'mails_' || part, part);
    END LOOP;
END
$$;

GRANT SELECT, INSERT ON notifications.mails TO amply_notifications;
GRANT SELECT ON notifications.mails TO amply_operations;
ALTER TABLE notifications.mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE notifications.mails FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notifications.mails USING (organization = ANY (read.organizations_in_scope()));
CREATE POLICY operators ON notifications.mails FOR SELECT TO amply_operations USING (true);

-- What permissions owns: every relationship that SpiceDB shall hold, so that a SpiceDB without memory
-- can be filled again, and how fresh a read must be to see an organization's last change.

CREATE SCHEMA permissions;
GRANT USAGE ON SCHEMA permissions TO amply_permissions, amply_operations;

CREATE TABLE permissions.relationships (
    resource     text NOT NULL,
    relation     text NOT NULL,
    subject      text NOT NULL,
    organization text NOT NULL,
    PRIMARY KEY (resource, relation, subject)
);

CREATE TABLE permissions.tokens (
    organization text        PRIMARY KEY,
    zed_token    text        NOT NULL,
    written_at   timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON permissions.relationships TO amply_permissions;
GRANT SELECT, INSERT, UPDATE ON permissions.tokens TO amply_permissions;
GRANT SELECT ON permissions.relationships, permissions.tokens TO amply_operations;

-- Filling SpiceDB again reads the relationships of all organizations: this role may.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['relationships', 'tokens'] LOOP
        EXECUTE format('ALTER TABLE permissions.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE permissions.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON permissions.%I USING (organization = ANY (read.organizations_in_scope()))', name);
        EXECUTE format('CREATE POLICY all_of_them ON permissions.%I FOR SELECT TO amply_permissions, amply_operations USING (true)', name);
    END LOOP;
END
$$;

CREATE VIEW read.permission_tokens AS
    SELECT organization, zed_token FROM permissions.tokens;
GRANT SELECT ON read.permission_tokens TO amply_edge;
