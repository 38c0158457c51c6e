-- Who did what: rows wait in "pending", written in the transaction of what they tell of; one process
-- gives them their place in their organization's chain, by the ledger's own code, and moves them to
-- "records". Those are partitioned by month and dropped after seven years, with the place from which
-- the rest goes on. What has no organization is in the chain named "platform".
--
-- What is personal, the client's shortened address, is a salted commitment in the record; its opening
-- lies beside it, encrypted, and can be deleted.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_audit') THEN
        CREATE ROLE amply_audit NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

CREATE SCHEMA audit;
GRANT USAGE ON SCHEMA audit TO amply_edge, amply_audit, amply_operations;
GRANT USAGE ON SCHEMA read TO amply_audit;

CREATE TABLE audit.pending (
    position     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization text        COLLATE "C" NOT NULL,
    occurred_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind   text        NOT NULL,
    actor        text        NOT NULL,
    credential   text,
    action       text        NOT NULL,
    resource     text,
    request      text,
    outcome      text        NOT NULL CHECK (outcome IN ('done', 'denied', 'read')),
    code         text        CHECK ((code IS NOT NULL) = (outcome = 'denied')),
    times        integer     NOT NULL DEFAULT 1 CHECK (times > 0),
    before       text        CHECK (before ~ '^[0-9a-f]{64}$'),
    after        text        CHECK (after ~ '^[0-9a-f]{64}$'),
    client_seal  text        CHECK (client_seal ~ '^[0-9a-f]{64}$'),
    client       bytea,
    CHECK (client IS NULL OR client_seal IS NOT NULL),
    CHECK (octet_length(actor) <= 100 AND octet_length(resource) <= 300 AND octet_length(request) <= 100)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- One row: who gives places (the epoch fences whoever did before), and the newest record's time.
CREATE TABLE audit.chainer (
    only_row  boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch     bigint      NOT NULL DEFAULT 0,
    last_time timestamptz
);
INSERT INTO audit.chainer DEFAULT VALUES;

-- The last record of each organization's chain, and the one before the first that is still kept.
CREATE TABLE audit.chains (
    organization text   COLLATE "C" PRIMARY KEY,
    seq          bigint NOT NULL CHECK (seq >= 0),
    head         bytea  NOT NULL CHECK (octet_length(head) = 32),
    dropped_seq  bigint NOT NULL DEFAULT -1 CHECK (dropped_seq BETWEEN -1 AND seq),
    dropped_head bytea  CHECK (octet_length(dropped_head) = 32),
    CHECK ((dropped_seq = -1) = (dropped_head IS NULL))
);

-- The columns beside "bytes" are there to be looked for; a check compares them with the bytes.
CREATE TABLE audit.records (
    organization text        COLLATE "C" NOT NULL,
    seq          bigint      NOT NULL CHECK (seq >= 0),
    recorded_at  timestamptz NOT NULL,
    actor        text        NOT NULL,
    action       text        NOT NULL,
    resource     text,
    bytes        bytea       NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 65535),
    hash         bytea       NOT NULL,
    PRIMARY KEY (organization, seq, recorded_at),
    CONSTRAINT hash_of_bytes CHECK (hash = sha256('\x00'::bytea || bytes))
) PARTITION BY RANGE (recorded_at);
CREATE INDEX records_by_resource ON audit.records (resource, organization, seq) WHERE resource IS NOT NULL;
CREATE INDEX records_by_actor ON audit.records (actor, organization, seq);
CREATE INDEX records_by_action ON audit.records (action, organization, seq);

CREATE TABLE audit.openings (
    organization text   COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    actor        text   NOT NULL,
    resource     text,
    client       bytea  NOT NULL,
    PRIMARY KEY (organization, seq)
);
CREATE INDEX openings_by_actor ON audit.openings (actor);
CREATE INDEX openings_by_resource ON audit.openings (resource) WHERE resource IS NOT NULL;

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit.records is a record of facts: rows are added, never changed or removed'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.records
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON audit.records
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- Records continue each chain without a gap, up to the head that has moved in the same transaction.
CREATE FUNCTION audit.check_appended() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT format('records %s to %s do not continue the chain of %s', a.first, a.last, a.organization)
    INTO fault
    FROM (SELECT organization, min(seq) AS first, max(seq) AS last, count(*) AS records
          FROM added GROUP BY organization) AS a
    LEFT JOIN audit.chains AS c USING (organization)
    WHERE a.last - a.first + 1 <> a.records OR a.last IS DISTINCT FROM c.seq
        OR (a.first > 0 AND a.first - 1 <> c.dropped_seq AND NOT EXISTS (
            SELECT FROM audit.records r WHERE r.organization = a.organization AND r.seq = a.first - 1))
    LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'check_violation', CONSTRAINT = 'records_continue';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_appended AFTER INSERT ON audit.records REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit.check_appended();

CREATE FUNCTION audit.check_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq < OLD.seq OR NEW.dropped_seq < OLD.dropped_seq THEN
        RAISE EXCEPTION 'the chain of % cannot go back', OLD.organization USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_chain BEFORE UPDATE ON audit.chains
    FOR EACH ROW EXECUTE FUNCTION audit.check_chain();

-- How long records are kept; the written table of retention says the same.
CREATE FUNCTION audit.kept() RETURNS interval LANGUAGE sql IMMUTABLE RETURN interval '7 years';

-- Creates the partitions of this month and the next ones, and drops those whose every record is older
-- than seven years, by PostgreSQL's own clock and no other. What a dropped month ended each chain with
-- is kept, so that the rest still verifies. Returns how many were dropped.
CREATE FUNCTION audit.tend(months_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    month date;
    name text;
    dropped integer := 0;
BEGIN
    FOR month IN SELECT generate_series(date_trunc('month', now()),
        date_trunc('month', now()) + make_interval(months => months_ahead), interval '1 month')::date
    LOOP
        name := 'records_' || to_char(month, 'YYYYMM');
        CONTINUE WHEN to_regclass('audit.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.records FOR VALUES FROM (%L) TO (%L)',
            name, month::timestamptz, (month + interval '1 month')::timestamptz);
        EXECUTE format('CREATE TRIGGER no_truncation BEFORE TRUNCATE ON audit.%I
            FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name);
    END LOOP;
    FOR name, month IN
        SELECT relname, to_date(substr(relname, 9), 'YYYYMM') FROM pg_class
        WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r' AND relname ~ '^records_[0-9]{6}$'
        ORDER BY relname
    LOOP
        EXIT WHEN month + interval '1 month' > now() - audit.kept();
        EXECUTE format('UPDATE audit.chains AS c SET dropped_seq = r.seq, dropped_head = r.hash
            FROM (SELECT DISTINCT ON (organization) organization, seq, hash FROM audit.%I
                  ORDER BY organization, seq DESC) AS r
            WHERE r.organization = c.organization', name);
        EXECUTE format('DELETE FROM audit.openings AS o USING audit.%I AS r
            WHERE o.organization = r.organization AND o.seq = r.seq', name);
        EXECUTE format('DROP TABLE audit.%I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Deletes the personal parts of all that these persons or keys did to anything, and of all that
-- anybody did to these resources, in every organization that the transaction names (persons: in all).
CREATE FUNCTION audit.forget(actors text[], resources text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    openings bigint;
    waiting bigint;
BEGIN
    UPDATE audit.pending SET client = NULL
        WHERE client IS NOT NULL AND (actor = ANY (actors)
            OR (resource = ANY (resources) AND organization = ANY (read.organizations_in_scope())));
    GET DIAGNOSTICS waiting = ROW_COUNT;
    DELETE FROM audit.openings
        WHERE actor = ANY (actors)
            OR (resource = ANY (resources) AND organization = ANY (read.organizations_in_scope()));
    GET DIAGNOSTICS openings = ROW_COUNT;
    RETURN openings + waiting;
END
$$;
REVOKE ALL ON FUNCTION audit.tend, audit.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.tend TO amply_audit;
GRANT EXECUTE ON FUNCTION audit.forget TO amply_operations;

GRANT INSERT ON audit.pending TO amply_edge, amply_operations;
GRANT SELECT, DELETE ON audit.pending TO amply_audit;
GRANT SELECT, UPDATE ON audit.chainer TO amply_audit;
GRANT SELECT, INSERT ON audit.chains, audit.records TO amply_audit;
GRANT UPDATE (seq, head) ON audit.chains TO amply_audit;
GRANT SELECT, INSERT ON audit.openings TO amply_audit;
GRANT SELECT ON audit.records, audit.openings, audit.chains, audit.pending TO amply_operations;

-- Tenants. Whoever gives places sees all that waits, and adds to every chain.
DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['pending', 'chains', 'records', 'openings'] LOOP
        EXECUTE format('ALTER TABLE audit.%I ENABLE ROW LEVEL SECURITY', tenant);
        EXECUTE format('ALTER TABLE audit.%I FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format('CREATE POLICY tenant ON audit.%I USING (organization = ANY (read.organizations_in_scope()))', tenant);
        EXECUTE format('CREATE POLICY chainer ON audit.%I TO amply_audit USING (true)', tenant);
        EXECUTE format('CREATE POLICY operators ON audit.%I FOR SELECT TO amply_operations USING (true)', tenant);
    END LOOP;
END
$$;
-- What has no organization: a sign-in, a refusal of nobody in particular.
CREATE POLICY of_the_platform ON audit.pending FOR INSERT TO amply_edge, amply_operations
    WITH CHECK (organization = 'platform');

-- A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.audit_records AS
    SELECT organization, seq, recorded_at, actor, action, resource, bytes, hash FROM audit.records
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.audit_openings AS
    SELECT organization, seq, client FROM audit.openings
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.audit_chains AS
    SELECT organization, seq, head, dropped_seq, dropped_head FROM audit.chains
    WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.audit_records, read.audit_openings, read.audit_chains TO amply_edge, amply_operations;

-- How long the oldest row has waited for its place.
CREATE VIEW read.audit_age AS
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8 AS seconds, count(*) AS rows
    FROM audit.pending;
GRANT SELECT ON read.audit_age TO amply_audit, amply_operations;

-- This month's partition; the process makes the later ones.
SELECT audit.tend(3);
