-- Forgetting a person: what the edge keeps to reach all that a donor left, and what the ledger keeps so
-- that a forgotten donor stays forgotten, whatever arrives late or is replayed.

-- Which profile gave what: how an erasure finds the gifts. Its rows go with the profile.
CREATE TABLE edge.donor_gifts (
    organization text NOT NULL,
    profile      text NOT NULL,
    donation     text NOT NULL,
    PRIMARY KEY (donation, organization)
) PARTITION BY HASH (organization);

DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE edge.donor_gifts_%s PARTITION OF edge.donor_gifts FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
            part, part);
    END LOOP;
END
$$;
CREATE INDEX donor_gifts_by_profile ON edge.donor_gifts (profile);

INSERT INTO edge.donor_gifts (organization, profile, donation)
    SELECT organization, convert_from(request, 'UTF8')::jsonb #>> '{donor,profile}', donation
    FROM payments.attempts
    WHERE convert_from(request, 'UTF8')::jsonb #>> '{donor,profile}' IS NOT NULL;

-- The payment that an event is about: its body may hold the donor's billing details.
ALTER TABLE edge.stripe_events ADD COLUMN payment_intent text;
CREATE INDEX stripe_events_by_payment_intent ON edge.stripe_events (payment_intent)
    WHERE payment_intent IS NOT NULL;

GRANT INSERT ON edge.donor_gifts TO amply_edge;

-- Profiles that were forgotten. Random ids, no person: a late request of theirs keeps no opening.
CREATE TABLE ledger.forgotten (
    organization text        COLLATE "C" NOT NULL,
    profile      text        COLLATE "C" NOT NULL,
    basis        text        NOT NULL CHECK (basis ~ '^[a-z0-9-]{1,40}$'),
    forgotten_at timestamptz NOT NULL,
    PRIMARY KEY (profile, organization)
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.forgotten
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Entries whose donor's opening is gone and whose erasure the log does not state yet.
CREATE TABLE ledger.pending_erasures (
    organization text        COLLATE "C" NOT NULL,
    entry_id     text        COLLATE "C" NOT NULL,
    basis        text        NOT NULL,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (entry_id, organization)
);

-- The day (UTC) of the last daily run; empty when one is wanted at once.
CREATE TABLE ledger.erasure_run (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_on  date
);
INSERT INTO ledger.erasure_run DEFAULT VALUES;

GRANT SELECT, DELETE ON ledger.pending_erasures TO amply_bookkeeping;
GRANT SELECT, UPDATE ON ledger.erasure_run TO amply_bookkeeping;
GRANT SELECT ON ledger.forgotten, ledger.pending_erasures, ledger.erasure_run TO amply_operations;
GRANT UPDATE (last_on) ON ledger.erasure_run TO amply_operations;

DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['edge.donor_gifts', 'ledger.forgotten', 'ledger.pending_erasures'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format('CREATE POLICY tenant ON %s USING (organization = ANY (read.organizations_in_scope()))', tenant);
    END LOOP;
END
$$;
CREATE POLICY operators ON ledger.forgotten FOR SELECT TO amply_operations USING (true);
CREATE POLICY operators ON ledger.pending_erasures FOR SELECT TO amply_operations USING (true);

-- Deletes a profile's openings and notes what the log has still to state. Whoever stores openings holds
-- the same lock, shared (below): an opening is either deleted here, or not kept there.
CREATE FUNCTION ledger.forget_donor(
    forgotten_organization text, forgotten_profile text, donations text[], reason text, moment timestamptz
) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    entries integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.forgotten'));
    INSERT INTO ledger.forgotten (organization, profile, basis, forgotten_at)
        VALUES (forgotten_organization, forgotten_profile, reason, moment)
        ON CONFLICT DO NOTHING;
    WITH gone AS (
        DELETE FROM ledger.openings
        WHERE entry_id = ANY (ARRAY(SELECT id FROM ledger.entries WHERE subject = ANY (donations)))
            AND organization = forgotten_organization AND section = 'donor'
            AND profile = forgotten_profile
        RETURNING entry_id
    )
    INSERT INTO ledger.pending_erasures (organization, entry_id, basis)
        SELECT forgotten_organization, entry_id, reason FROM gone
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN entries;
END
$$;

-- An opening of a forgotten profile is not kept, whoever stores it and however late it comes.
CREATE FUNCTION ledger.keep_forgotten() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    late record;
BEGIN
    IF NOT EXISTS (SELECT FROM added WHERE section = 'donor') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtext('ledger.forgotten'));
    FOR late IN
        SELECT added.organization, added.entry_id, gone.basis
        FROM added JOIN ledger.forgotten AS gone USING (profile, organization)
    LOOP
        DELETE FROM ledger.openings AS opening
            WHERE opening.entry_id = late.entry_id AND opening.organization = late.organization
                AND opening.section = 'donor';
        INSERT INTO ledger.pending_erasures (organization, entry_id, basis)
            VALUES (late.organization, late.entry_id, late.basis) ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_forgotten AFTER INSERT ON ledger.openings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep_forgotten();

-- Destroys a profile's key and what else of it the edge holds. A request keeps its row, so that a retry
-- never makes a second gift, but not the keyed hash of what the donor typed; an event keeps its id, so
-- that Stripe's repetition is known, but not its body.
CREATE FUNCTION edge.forget_donor(
    forgotten_organization text, forgotten_profile text, payment_intents text[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    UPDATE edge.stripe_events SET body = '' WHERE payment_intent = ANY (payment_intents);
    UPDATE edge.requests SET fingerprint = sha256(uuid_send(gen_random_uuid()))
        WHERE donation = ANY (ARRAY(
            SELECT donation FROM edge.donor_gifts
            WHERE profile = forgotten_profile AND organization = forgotten_organization));
    DELETE FROM edge.donor_gifts
        WHERE profile = forgotten_profile AND organization = forgotten_organization;
    DELETE FROM edge.donor_profiles
        WHERE id = forgotten_profile AND organization = forgotten_organization;
END
$$;

REVOKE ALL ON FUNCTION ledger.forget_donor, ledger.keep_forgotten, edge.forget_donor FROM PUBLIC;
GRANT USAGE ON SCHEMA edge TO amply_operations;
GRANT EXECUTE ON FUNCTION ledger.forget_donor, edge.forget_donor TO amply_operations;

-- What an erasure looks up. A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.donors AS
    SELECT id, organization, person_hash FROM edge.donor_profiles
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.donor_gifts AS
    SELECT organization, profile, donation FROM edge.donor_gifts
    WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.donors, read.donor_gifts TO amply_operations;

-- Pages of deleted keys are cleaned right after an erasure, where PostgreSQL can grant that (17).
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 170000 THEN
        EXECUTE 'GRANT MAINTAIN ON edge.donor_profiles, edge.donor_profiles_0, edge.donor_profiles_1,
            edge.donor_profiles_2, edge.donor_profiles_3 TO amply_operations';
    END IF;
END
$$;
