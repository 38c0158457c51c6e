-- Refunds and disputes: asked for at the edge, followed by payments, shown of each gift by donations.

-- What was asked for and answered 202, so that a repetition gets the same answer.
CREATE TABLE edge.refund_requests (
    organization    text        NOT NULL, -- of the key that asks: where its Idempotency-Key is unique
    environment     text        NOT NULL,
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    fingerprint     bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    id              text        NOT NULL,
    recipient       text        NOT NULL, -- the organization whose gift it is
    donation        text        NOT NULL,
    amount_minor    bigint      CHECK (amount_minor > 0),
    currency        text        NOT NULL,
    reason          text        NOT NULL,
    requested_by    text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (idempotency_key, organization, environment)
) PARTITION BY HASH (organization);
CREATE UNIQUE INDEX refund_requests_by_id ON edge.refund_requests (id, organization);
CREATE INDEX refund_requests_by_donation ON edge.refund_requests (donation);

-- A refund, asked for here or made in Stripe's dashboard. "requested" is committed before Stripe is
-- called, with all that the call says, so that it can be repeated as it was; "called_at" is when it was
-- first called, "attempt" numbers the idempotency key in use. "version" counts what was told.
CREATE TABLE payments.refunds (
    organization         text        NOT NULL,
    id                   text        NOT NULL,
    donation             text        NOT NULL,
    charge               text,
    stripe_refund        text,
    status               text        NOT NULL
        CHECK (status IN ('requested', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled', 'refused')),
    amount_minor         bigint      CHECK (amount_minor > 0),
    currency             text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason               text,
    code                 text,
    returns_platform_fee boolean     NOT NULL DEFAULT false,
    attempt              smallint    NOT NULL DEFAULT 1,
    called_at            timestamptz,
    entry                text,
    failure_entry        text,
    version              integer     NOT NULL DEFAULT 0,
    seen_at              timestamptz,
    created_at           timestamptz NOT NULL,
    PRIMARY KEY (id, organization),
    CHECK (status IN ('requested', 'refused') OR stripe_refund IS NOT NULL),
    CHECK (status = 'refused' OR called_at IS NULL OR amount_minor IS NOT NULL)
) PARTITION BY HASH (organization);
CREATE UNIQUE INDEX refunds_by_stripe_refund ON payments.refunds (stripe_refund, organization)
    WHERE stripe_refund IS NOT NULL;
CREATE INDEX refunds_by_donation ON payments.refunds (donation, organization);

-- A dispute as it was last seen. "movements" is how many balance transactions it had then: what has more
-- is newer. What lies in Assets:Disputed of a lost one is written off, in the settlement currency and in
-- the donor's; "adjustments" counts the entries that did so or took it back, "adjustment" is the newest.
CREATE TABLE payments.disputes (
    organization          text        NOT NULL,
    id                    text        NOT NULL,
    donation              text        NOT NULL,
    charge                text        NOT NULL,
    stripe_dispute        text        NOT NULL,
    status                text        NOT NULL,
    reason                text        NOT NULL,
    amount_minor          bigint      NOT NULL,
    withdrawn_minor       bigint      NOT NULL,
    currency              text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    blocks_refunds        boolean     NOT NULL,
    is_return             boolean     NOT NULL,
    evidence_due_at       timestamptz,
    movements             integer     NOT NULL,
    written_off_minor     bigint      NOT NULL,
    written_off_presented bigint      NOT NULL,
    adjustments           integer     NOT NULL,
    adjustment            text,
    entries               text[]      NOT NULL,
    version               integer     NOT NULL,
    seen_at               timestamptz NOT NULL,
    created_at            timestamptz NOT NULL,
    PRIMARY KEY (id, organization)
) PARTITION BY HASH (organization);
CREATE INDEX disputes_by_donation ON payments.disputes (donation, organization);

-- What became of a gift, one row for each refund and dispute: the highest version that was told.
CREATE TABLE donations.refunds (
    organization  text        NOT NULL,
    id            text        NOT NULL,
    donation      text        NOT NULL,
    version       integer     NOT NULL,
    status        text        NOT NULL,
    amount_minor  bigint,
    currency      text        NOT NULL,
    reason        text,
    code          text,
    stripe_refund text,
    entry         text,
    failure_entry text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (id, organization)
) PARTITION BY HASH (organization);
CREATE INDEX refunds_by_donation ON donations.refunds (donation, organization);

CREATE TABLE donations.disputes (
    organization    text        NOT NULL,
    id              text        NOT NULL,
    donation        text        NOT NULL,
    version         integer     NOT NULL,
    status          text        NOT NULL,
    reason          text        NOT NULL,
    amount_minor    bigint      NOT NULL,
    withdrawn_minor bigint      NOT NULL,
    currency        text        NOT NULL,
    blocks_refunds  boolean     NOT NULL,
    is_return       boolean     NOT NULL,
    evidence_due_at timestamptz,
    stripe_dispute  text        NOT NULL,
    entries         text[]      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (id, organization)
) PARTITION BY HASH (organization);
CREATE INDEX disputes_by_donation ON donations.disputes (donation, organization);

DO $$
DECLARE
    kept record;
    part integer;
BEGIN
    FOR kept IN SELECT * FROM (VALUES
        ('edge', 'refund_requests', 'SELECT, INSERT'), -- seen by who asked, and by whose gift it is
        ('payments', 'refunds', 'SELECT, INSERT, UPDATE'),
        ('payments', 'disputes', 'SELECT, INSERT, UPDATE'),
        ('donations', 'refunds', 'SELECT, INSERT, UPDATE'),
        ('donations', 'disputes', 'SELECT, INSERT, UPDATE')
    ) AS t (owner, name, rights) LOOP
        FOR part IN 0..3 LOOP
            EXECUTE format('CREATE TABLE %1$I.%2$I PARTITION OF %1$I.%3$I FOR VALUES WITH (MODULUS 4, REMAINDER %4$s)',
                kept.owner, kept.name || '_' || part, kept.name, part);
        END LOOP;
        EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', kept.owner, kept.name);
        EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', kept.owner, kept.name);
        EXECUTE format('CREATE POLICY tenant ON %I.%I USING (organization = ANY (read.organizations_in_scope())%s)',
            kept.owner, kept.name,
            CASE kept.owner WHEN 'edge' THEN ' OR recipient = ANY (read.organizations_in_scope())' ELSE '' END);
        EXECUTE format('GRANT %s ON %I.%I TO %I', kept.rights, kept.owner, kept.name, 'amply_' || kept.owner);
        IF kept.owner <> 'edge' THEN
            EXECUTE format('CREATE POLICY operators ON %I.%I FOR SELECT TO amply_operations USING (true)',
                kept.owner, kept.name);
            EXECUTE format('GRANT SELECT ON %I.%I TO amply_operations', kept.owner, kept.name);
        END IF;
    END LOOP;
END
$$;

CREATE VIEW read.refunds AS
    SELECT * FROM donations.refunds WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.disputes AS
    SELECT * FROM donations.disputes WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.refunds, read.disputes TO amply_edge, amply_operations;
