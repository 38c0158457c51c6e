-- Movements: what each balance transaction of a connected account became in the ledger.
--
-- One row for each fund that a balance transaction touches; its figures are that fund's share, in ISO
-- minor units of the settlement currency, signed as Stripe signs them: net = amount - fee. The row is
-- written in the transaction that requests the entry, so "a row is here" is "its entry was requested".
-- payments writes those of charges, refunds and disputes, payouts the rest; everybody reads both
-- through read.movements. The key keeps a balance transaction from being booked twice.

DO $$
DECLARE
    owner text;
    part integer;
BEGIN
    DROP TABLE payouts.movements;
    FOREACH owner IN ARRAY ARRAY['payments', 'payouts'] LOOP
        EXECUTE format($table$
            CREATE TABLE %1$I.movements (
                organization        text        NOT NULL,
                account             text        NOT NULL,
                balance_transaction text        NOT NULL,
                category            text        NOT NULL, -- Stripe's reporting_category
                source              text        NOT NULL, -- ch_..., re_..., dp_..., po_...
                donation            text,
                fund                text        NOT NULL,
                currency            text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
                amount_minor        bigint      NOT NULL,
                fee_minor           bigint      NOT NULL,
                net_minor           bigint      NOT NULL CHECK (net_minor = amount_minor - fee_minor),
                entry               text        NOT NULL, -- the ent_... that was requested
                occurred_at         timestamptz NOT NULL, -- when Stripe made the balance transaction
                requested_at        timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (balance_transaction, fund, organization)
            ) PARTITION BY HASH (organization)
        $table$, owner);
        FOR part IN 0..3 LOOP
            EXECUTE format('CREATE TABLE %1$I.%2$I PARTITION OF %1$I.movements FOR VALUES WITH (MODULUS 4, REMAINDER %3$s)',
                owner, 'movements_' || part, part);
        END LOOP;
        EXECUTE format('CREATE INDEX movements_by_time ON %I.movements (account, currency, occurred_at)', owner);
        EXECUTE format('CREATE INDEX movements_by_source ON %I.movements (source, organization)', owner);
        EXECUTE format('ALTER TABLE %I.movements ENABLE ROW LEVEL SECURITY', owner);
        EXECUTE format('ALTER TABLE %I.movements FORCE ROW LEVEL SECURITY', owner);
        EXECUTE format('CREATE POLICY tenant ON %I.movements USING (organization = ANY (read.organizations_in_scope()))', owner);
        EXECUTE format('CREATE POLICY operators ON %I.movements FOR SELECT TO amply_operations USING (true)', owner);
        EXECUTE format('GRANT SELECT, INSERT ON %I.movements TO %I', owner, 'amply_' || owner);
        EXECUTE format('GRANT SELECT ON %I.movements TO amply_operations', owner);
    END LOOP;
END
$$;

-- A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.movements AS
    SELECT * FROM payments.movements WHERE organization = ANY (read.organizations_in_scope())
    UNION ALL
    SELECT * FROM payouts.movements WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.movements TO amply_payments, amply_payouts, amply_edge;
