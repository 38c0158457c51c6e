-- Which relationships should be follows from the edge's rows alone: a key says its funds, and what SpiceDB
-- was told of a role that ends says when.

-- The funds that a key's scope `ledger:read_internal` is narrowed to. So far only SpiceDB knew them.
ALTER TABLE edge.api_keys ADD COLUMN funds text[] NOT NULL DEFAULT '{}';
UPDATE edge.api_keys AS k SET funds = told.funds
FROM (
    SELECT subject, array_agg(substr(resource, length('fund:') + 1) ORDER BY resource) AS funds
    FROM permissions.relationships
    WHERE resource LIKE 'fund:%' AND relation = 'scope_ledger_read'
    GROUP BY subject
) AS told
WHERE told.subject = 'api_key:' || k.id;
DROP VIEW read.keys_written;

ALTER TABLE permissions.relationships ADD COLUMN expires_at timestamptz;
GRANT UPDATE (expires_at) ON permissions.relationships TO amply_permissions;
CREATE OR REPLACE VIEW read.relationships AS
    SELECT resource, relation, subject, organization, expires_at FROM permissions.relationships;
