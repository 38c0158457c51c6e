-- What donations owns: the state of every gift, one row each, folded from everybody's facts.

CREATE SCHEMA donations;
GRANT USAGE ON SCHEMA donations TO amply_donations, amply_operations;

-- In rank order: the highest that any fact states wins, whatever order they come in.
CREATE TYPE donations.status AS ENUM
    ('pending', 'processing', 'requires_action', 'failed', 'captured', 'recorded');

-- A fact may arrive before the request: the columns of the request are empty until it comes.
CREATE TABLE donations.donations (
    organization        text             NOT NULL,
    id                  text             NOT NULL,
    status              donations.status NOT NULL,
    amount_minor        bigint,
    charge_amount_minor bigint,
    currency            text,
    fund                text,
    covers_fee          boolean,
    failure_code        text,
    decline_code        text,
    payment_intent      text,
    entry_id            text,
    log                 integer,
    index               bigint,
    seq                 bigint,
    created_at          timestamptz,
    updated_at          timestamptz      NOT NULL,
    PRIMARY KEY (id, organization)
) PARTITION BY HASH (organization);

DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE donations.%I PARTITION OF donations.donations FOR VALUES WITH (MODULUS 4, REMAINDER %s) WITH (fillfactor = 50)',
            'donations_' || part, part);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON donations.donations TO amply_donations;
GRANT SELECT ON donations.donations TO amply_operations;
ALTER TABLE donations.donations ENABLE ROW LEVEL SECURITY;
ALTER TABLE donations.donations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON donations.donations USING (organization = ANY (read.organizations_in_scope()));
CREATE POLICY operators ON donations.donations FOR SELECT TO amply_operations USING (true);

CREATE VIEW read.donations AS
    SELECT id, organization, status::text AS status, amount_minor, charge_amount_minor, currency, fund,
        covers_fee,
        CASE WHEN status = 'failed' THEN failure_code END AS failure_code,
        CASE WHEN status = 'failed' THEN decline_code END AS decline_code,
        payment_intent, entry_id, log, index, seq, created_at, updated_at
    FROM donations.donations
    WHERE amount_minor IS NOT NULL AND organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.donations TO amply_edge, amply_operations;
