"""All relationships that should be, spelled in SQL: it shares no code with the edge's own table."""

from typing import Final

#: $1 and $2: scopes, and the relation of each.
TRUTH: Final = """
    WITH everybody (subject) AS (VALUES ('user:*'), ('api_key:*'), ('collector:*'), ('visitor:*')),
    scopes (scope, relation) AS (SELECT * FROM unnest($1::text[], $2::text[])),
    living_keys AS (
        SELECT * FROM edge.api_keys WHERE organization IS NOT NULL AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > now()))
    SELECT 'organization:' || id, 'platform', 'platform:amply', NULL::timestamptz
        FROM edge.organizations
    UNION SELECT 'organization:' || id, 'public_ledger', subject, NULL
        FROM edge.organizations, everybody WHERE review = 'approved'
    UNION SELECT 'organization:' || id, 'accepts_donations', subject, NULL
        FROM edge.organizations, everybody
        WHERE status IN ('verified', 'suspended') AND accepts_donations
    UNION SELECT 'organization:' || id, 'suspended', subject, NULL
        FROM edge.organizations, everybody WHERE status IN ('suspended', 'closed')
    UNION SELECT 'organization:' || organization, role, 'user:' || person, expires_at
        FROM edge.members
        WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    UNION SELECT 'platform:amply', role, 'user:' || person, NULL
        FROM edge.staff WHERE removed_at IS NULL
    UNION SELECT 'fund:' || id, 'organization', 'organization:' || organization, NULL
        FROM edge.funds
    UNION SELECT 'api_key:' || id, 'organization', 'organization:' || organization, NULL
        FROM living_keys
    UNION SELECT 'organization:' || organization, relation, 'api_key:' || id, NULL
        FROM living_keys JOIN scopes ON scope = ANY (scopes)
        WHERE scope <> 'ledger:read_internal' OR funds = '{}'
    UNION SELECT 'fund:' || fund, 'scope_ledger_read', 'api_key:' || id, NULL
        FROM living_keys, unnest(funds) AS fund WHERE 'ledger:read_internal' = ANY (scopes)
    UNION SELECT 'collector:' || id, 'platform', 'platform:amply', NULL FROM edge.collectors
    UNION SELECT 'collector:' || id, 'manager', 'user:' || manager, NULL FROM edge.collectors
    UNION SELECT 'organization:' || k.organization, 'collector', 'collector:' || c.id, NULL
        FROM edge.collections AS k JOIN edge.collectors AS c ON c.id = k.collector
        WHERE k.status = 'allowed' AND c.status = 'active'
"""
