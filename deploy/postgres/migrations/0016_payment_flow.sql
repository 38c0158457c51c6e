-- Gifts confirmed on the client, tried again, canceled or expired; fees of the platform; gifts that
-- settle in another currency than the donor's.

-- A new value of an enumeration cannot be used before its transaction ends: statements name the order
-- in which an attempt moves, and the rule about intents is written without it.
ALTER TYPE payments.state ADD VALUE 'closed' BEFORE 'captured';
ALTER TABLE payments.attempts DROP CONSTRAINT attempts_check;
ALTER TABLE payments.attempts ADD CONSTRAINT intent_known
    CHECK (payment_intent IS NOT NULL OR state NOT IN ('processing', 'requires_action', 'captured'));

-- "turn" is the message that made the newest attempt, null for the gift's own; "on_client" says that the
-- donor confirms it there; "fund" is where the money went. "expires_at" is of the business clock; gifts
-- from before have none.
ALTER TABLE payments.attempts
    ADD COLUMN turn            uuid,
    ADD COLUMN on_client       boolean NOT NULL DEFAULT false,
    ADD COLUMN fund            text,
    ADD COLUMN expires_at      timestamptz,
    ADD COLUMN expiry_asked_at timestamptz;
CREATE INDEX attempts_overdue ON payments.attempts (expires_at)
    WHERE state IN ('requires_action', 'failed') AND expires_at IS NOT NULL;

-- Unpaid gifts past their time, of all organizations: says which, and opens nothing of them.
CREATE FUNCTION payments.overdue(moment timestamptz, most integer)
    RETURNS TABLE (organization text, donation text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT a.organization, a.donation FROM payments.attempts AS a
    WHERE a.state IN ('requires_action', 'failed') AND a.expires_at <= moment
        AND (a.expiry_asked_at IS NULL OR a.expiry_asked_at < clock_timestamp() - interval '1 day')
    ORDER BY a.expires_at LIMIT most
$$;
REVOKE ALL ON FUNCTION payments.overdue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION payments.overdue TO amply_payments;
GRANT SELECT ON read.business_clock, read.funds TO amply_payments;

-- Stripe.js also needs the account that the intent lies on.
CREATE OR REPLACE VIEW read.client_secrets AS
    SELECT s.donation, s.organization, s.ciphertext, a.account
    FROM payments.client_secrets AS s LEFT JOIN payments.attempts AS a USING (donation, organization)
    WHERE s.organization = ANY (read.organizations_in_scope());

-- A gift may fail and be tried again: "step" is what orders its facts, ten for each attempt, and far
-- above them what ends it. A row from before has none: it is that of its status in a first attempt.
ALTER TYPE donations.status ADD VALUE 'canceled' BEFORE 'captured';
ALTER TYPE donations.status ADD VALUE 'expired' BEFORE 'captured';
ALTER TABLE donations.donations
    ADD COLUMN step             integer,
    ADD COLUMN attempt          integer,
    ADD COLUMN failed_attempt   integer,
    ADD COLUMN minimum_minor    bigint,
    ADD COLUMN minimum_currency text;

CREATE OR REPLACE VIEW read.donations AS
    SELECT id, organization, status::text AS status, amount_minor, charge_amount_minor, currency, fund,
        covers_fee,
        CASE WHEN status::text IN ('failed', 'canceled', 'expired') THEN failure_code END AS failure_code,
        CASE WHEN status::text IN ('failed', 'canceled', 'expired') THEN decline_code END AS decline_code,
        payment_intent, entry_id, log, index, seq, created_at, updated_at,
        coalesce(attempt, 1) AS attempt, minimum_minor, minimum_currency
    FROM donations.donations
    WHERE amount_minor IS NOT NULL AND organization = ANY (read.organizations_in_scope());

-- The platform's share of each charge, in hundredths of a percent.
ALTER TABLE edge.organizations ADD COLUMN platform_fee_basis_points integer NOT NULL DEFAULT 0
    CHECK (platform_fee_basis_points BETWEEN 0 AND 5000);
GRANT USAGE ON SCHEMA edge TO amply_operations;
GRANT SELECT (id, platform_fee_basis_points), UPDATE (platform_fee_basis_points)
    ON edge.organizations TO amply_operations;
