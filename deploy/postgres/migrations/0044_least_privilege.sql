-- Rights that nothing uses are taken away; tests/isolation/matrix.csv says what every role has.

-- Whoever checks the ledger could read every table that the ledger would ever get, secrets included.
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger REVOKE SELECT ON TABLES FROM amply_books;
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ledger.transactions'::regclass LOOP
        EXECUTE format('REVOKE ALL ON %s FROM amply_books', part);
    END LOOP;
END
$$;
REVOKE SELECT ON ledger.cosignatures, ledger.erasure_run, ledger.forgotten, ledger.pending_erasures,
    ledger.witnessed FROM amply_books;

REVOKE SELECT ON read.organizations FROM amply_accounts, amply_bookkeeping, amply_books;
REVOKE SELECT ON read.funds FROM amply_bookkeeping;
REVOKE SELECT ON read.entries, read.checkpoints FROM amply_donations, amply_payouts, amply_notifications;
REVOKE SELECT ON read.visibility_changes FROM amply_notifications;
REVOKE SELECT ON read.balances FROM amply_payouts;
REVOKE SELECT ON read.movements, read.foreign_movements FROM amply_payments;
REVOKE UPDATE ON payouts.foreign_movements, payouts.states FROM amply_payouts;
REVOKE UPDATE ON permissions.relationships FROM amply_permissions;
REVOKE UPDATE ON reconciliation.days FROM amply_reconciliation;
REVOKE DELETE ON reconciliation.sums FROM amply_reconciliation;
REVOKE SELECT ON audit.openings FROM amply_operations;
DROP POLICY operators ON audit.openings;

-- Operators decide how often an organization's keys may ask; the edge only reads it.
REVOKE INSERT, UPDATE, DELETE ON edge.rate_limits FROM amply_edge;
GRANT SELECT, INSERT, UPDATE, DELETE ON edge.rate_limits TO amply_operations;
CREATE POLICY operators ON edge.rate_limits TO amply_operations USING (true);
