-- What donors may ask for: what is known of them, whether they are named, what they may be sent, to be
-- forgotten. And the one role that deletes what is due (workers/retention/table.py says what, and when).

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_retention') THEN
        -- It deletes in all organizations; its grants name the tables that it tidies, and no others.
        CREATE ROLE amply_retention NOLOGIN BYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

-- How a gift's donor wants to be shown; null for older gifts, whose donor is then shown nowhere.
ALTER TABLE edge.donor_gifts
    ADD COLUMN display text CHECK (display IN ('public', 'amount_only', 'anonymous')),
    ADD COLUMN display_changed_at timestamptz;
GRANT SELECT ON edge.donor_gifts TO amply_edge;
GRANT UPDATE (display, display_changed_at) ON edge.donor_gifts TO amply_edge;

-- What a donor agreed to be sent, beside any gift: every answer is a row, the newest one holds, none is
-- "no". "wording" is the version of the text that was shown, "source" where: codes, nobody's words.
CREATE TABLE edge.consents (
    id           text        NOT NULL,
    organization text        NOT NULL,
    profile      text        NOT NULL,
    purpose      text        NOT NULL CHECK (purpose IN ('marketing')),
    is_given     boolean     NOT NULL,
    wording      text        NOT NULL CHECK (wording ~ '^[A-Za-z0-9._-]{1,64}$'),
    source       text        NOT NULL CHECK (source ~ '^[a-z0-9_]{1,40}$'),
    recorded_by  text        NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, organization)
);
CREATE INDEX consents_by_profile ON edge.consents (profile, organization, recorded_at);
GRANT SELECT, INSERT ON edge.consents TO amply_edge;

-- Who shall be forgotten, and since when they are: random ids, no person.
CREATE TABLE edge.erasure_requests (
    id           text        NOT NULL,
    organization text        NOT NULL,
    profile      text        NOT NULL,
    basis        text        NOT NULL CHECK (basis ~ '^[a-z0-9-]{1,40}$'),
    requested_by text        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz,
    PRIMARY KEY (id, organization),
    UNIQUE (profile, organization)
);
CREATE INDEX erasures_to_do ON edge.erasure_requests (requested_at) WHERE done_at IS NULL;
GRANT SELECT, INSERT ON edge.erasure_requests TO amply_edge;
GRANT SELECT ON edge.erasure_requests, edge.consents TO amply_operations;

DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['consents', 'erasure_requests'] LOOP
        EXECUTE format('ALTER TABLE edge.%I ENABLE ROW LEVEL SECURITY', tenant);
        EXECUTE format('ALTER TABLE edge.%I FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format('CREATE POLICY tenant ON edge.%I USING (organization = ANY (read.organizations_in_scope()))', tenant);
    END LOOP;
END
$$;
CREATE POLICY operators ON edge.erasure_requests FOR SELECT TO amply_operations USING (true);

-- As before, and what the donor agreed to; a choice of display goes with the gift's row.
CREATE OR REPLACE FUNCTION edge.forget_donor(
    forgotten_organization text, forgotten_profile text, payment_intents text[]
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    UPDATE edge.stripe_events SET body = '' WHERE payment_intent = ANY (payment_intents);
    UPDATE edge.requests SET fingerprint = sha256(uuid_send(gen_random_uuid()))
        WHERE donation = ANY (ARRAY(
            SELECT donation FROM edge.donor_gifts
            WHERE profile = forgotten_profile AND organization = forgotten_organization));
    DELETE FROM edge.consents
        WHERE profile = forgotten_profile AND organization = forgotten_organization;
    DELETE FROM edge.donor_gifts
        WHERE profile = forgotten_profile AND organization = forgotten_organization;
    DELETE FROM edge.donor_profiles
        WHERE id = forgotten_profile AND organization = forgotten_organization;
END
$$;

-- A person who is forgotten leaves no address in the audit log either.
CREATE OR REPLACE FUNCTION edge.forget_person(forgotten text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    was_known boolean;
BEGIN
    DELETE FROM edge.sessions WHERE person = forgotten;
    UPDATE edge.people
        SET wrapped_key = NULL, profile = NULL, email_hash = NULL, forgotten_at = now(),
            identity_hash = sha256(uuid_send(gen_random_uuid()))
        WHERE id = forgotten AND forgotten_at IS NULL;
    was_known := FOUND;
    PERFORM audit.forget(ARRAY[forgotten], ARRAY[]::text[]);
    RETURN was_known;
END
$$;

-- What retention does: it forgets by the same functions as operators, and deletes what is due.
GRANT USAGE ON SCHEMA read, edge, ledger, messages, notifications, audit TO amply_retention;
GRANT EXECUTE ON FUNCTION ledger.forget_donor, edge.forget_donor, audit.forget TO amply_retention;
GRANT SELECT ON read.donors, read.donor_gifts, read.donations, ledger.forgotten TO amply_retention;
GRANT SELECT ON edge.donor_profiles, edge.donor_gifts TO amply_retention;
GRANT SELECT, UPDATE (done_at), DELETE ON edge.erasure_requests TO amply_retention;
GRANT SELECT, DELETE ON edge.stripe_events, edge.sessions, notifications.mails, messages.set_aside
    TO amply_retention;
REVOKE DELETE ON edge.stripe_events FROM amply_edge;
CREATE INDEX mails_by_time ON notifications.mails (settled_at);
CREATE INDEX dead_letters_by_time ON messages.set_aside (set_aside_at) WHERE disposition = 'dead';
CREATE INDEX sessions_by_end ON edge.sessions (expires_at);

DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 170000 THEN
        EXECUTE 'GRANT MAINTAIN ON edge.donor_profiles, edge.donor_profiles_0, edge.donor_profiles_1,
            edge.donor_profiles_2, edge.donor_profiles_3 TO amply_retention';
    END IF;
END
$$;

-- Profiles made so long ago of which no gift ever came, or still may: gifts that were canceled, expired or
-- failed for good. Nothing is left to do with what is known of such a person.
CREATE FUNCTION edge.donors_without_gifts(before timestamptz, most integer)
RETURNS TABLE (organization text, profile text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT p.organization, p.id FROM edge.donor_profiles AS p
    WHERE p.created_at < before AND NOT EXISTS (
        SELECT FROM edge.donor_gifts AS g
        LEFT JOIN donations.donations AS d ON d.id = g.donation AND d.organization = g.organization
        LEFT JOIN edge.requests AS q ON q.donation = g.donation AND q.organization = g.organization
        WHERE g.profile = p.id AND g.organization = p.organization
            AND (d.status IS NULL OR d.status::text NOT IN ('failed', 'canceled', 'expired')
                OR d.updated_at >= before OR q.created_at >= before))
    ORDER BY p.created_at LIMIT most
$$;
REVOKE ALL ON FUNCTION edge.donors_without_gifts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION edge.donors_without_gifts TO amply_retention;

-- What a donor is told of themselves, beside what the edge reads anyway. Views read with their owner's
-- rights, so they repeat the tenant rule.
CREATE VIEW read.mails AS
    SELECT organization, entry_id, outcome, settled_at FROM notifications.mails
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.sealed_donors AS
    SELECT organization, donation, convert_from(request, 'UTF8')::jsonb #>> '{donor,profile}' AS profile,
        convert_from(request, 'UTF8')::jsonb #>> '{donor,opening}' AS ciphertext
    FROM payments.attempts WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.stripe_events_of_payments AS
    SELECT d.organization, e.id, e.event_type, e.received_at, e.payment_intent, e.body
    FROM edge.stripe_events AS e JOIN donations.donations AS d USING (payment_intent)
    WHERE d.organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.mails, read.sealed_donors, read.stripe_events_of_payments, read.donors TO amply_edge;
