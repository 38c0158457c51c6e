-- What independent witnesses said of the log (C2SP tlog-witness), for "checkpoint.witnessed".
--
-- The witnesses process asks and stores; the checkpoints process publishes what is stored here. Only
-- signature lines are kept: the note that they are lines of is the one in "checkpoints".

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_witnesses') THEN
        CREATE ROLE amply_witnesses NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

GRANT USAGE ON SCHEMA ledger, read TO amply_witnesses;

-- The newest checkpoint that each witness cosigned; "witness" is its verifier key. It is asked from
-- this size the next time, and its silence is counted from this time.
CREATE TABLE ledger.cosignatures (
    log         integer     NOT NULL,
    witness     text        COLLATE "C" NOT NULL CHECK (length(witness) <= 1024),
    size        bigint      NOT NULL,
    line        text        NOT NULL CHECK (line ~ '^— [^\n]+\n$' AND length(line) <= 2048),
    cosigned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, witness),
    FOREIGN KEY (log, size) REFERENCES ledger.publications
);

-- The newest checkpoint whose cosignatures meet the policy, with their lines.
CREATE TABLE ledger.witnessed (
    log          integer     PRIMARY KEY,
    size         bigint      NOT NULL,
    lines        text        NOT NULL CHECK (lines ~ '^(— [^\n]+\n)+$' AND length(lines) <= 200000),
    witnessed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (log, size) REFERENCES ledger.publications
);

CREATE FUNCTION ledger.check_witnessed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size < OLD.size THEN
        RAISE EXCEPTION 'ledger.% of % entries cannot go back to %', TG_TABLE_NAME, OLD.size, NEW.size
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_witnessed BEFORE UPDATE ON ledger.cosignatures
    FOR EACH ROW EXECUTE FUNCTION ledger.check_witnessed();
CREATE TRIGGER check_witnessed BEFORE UPDATE ON ledger.witnessed
    FOR EACH ROW EXECUTE FUNCTION ledger.check_witnessed();

GRANT SELECT ON ledger.checkpoints, ledger.publications TO amply_witnesses;
GRANT SELECT, INSERT, UPDATE ON ledger.cosignatures, ledger.witnessed TO amply_witnesses;
GRANT SELECT ON ledger.witnessed TO amply_checkpoints;
GRANT SELECT ON ledger.cosignatures, ledger.witnessed TO amply_operations;

CREATE VIEW read.witnessed AS SELECT log, size, witnessed_at FROM ledger.witnessed;
GRANT SELECT ON read.witnessed TO amply_operations;
