-- What is derived from entries and openings behind the writer: sums by day for balances as of any
-- time, figures by month for statements and transparency, how far they reach, and who keeps them.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_books') THEN
        -- It reads and sums up every organization's entries; its grants name ledger tables only.
        CREATE ROLE amply_books NOLOGIN BYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

-- Each entry's postings sum to zero by fund and currency, not only what a batch comes to: 8 µs an entry.
-- An amount that is sealed is looked at in its opening.
CREATE FUNCTION ledger.check_entries_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT format('the %s of %s in %s do not sum to zero', p.currency, p.fund, a.id) INTO fault
    FROM added AS a, jsonb_to_recordset(convert_from(a.bytes, 'UTF8')::jsonb -> 'money' -> 'postings')
        AS p(amount numeric, currency text, fund text)
    GROUP BY a.id, p.currency, p.fund HAVING sum(p.amount) <> 0
    LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'check_violation', CONSTRAINT = 'postings_balance';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_money AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries_money();

CREATE FUNCTION ledger.check_openings_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT format('the %s of %s in %s do not sum to zero', p.currency, p.fund, a.entry_id) INTO fault
    FROM (SELECT entry_id, plain FROM added WHERE section = 'money') AS a,
        jsonb_to_recordset(convert_from(a.plain, 'UTF8')::jsonb -> 'value' -> 'postings')
            AS p(amount numeric, currency text, fund text)
    GROUP BY a.entry_id, p.currency, p.fund HAVING sum(p.amount) <> 0
    LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'check_violation', CONSTRAINT = 'postings_balance';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_money AFTER INSERT ON ledger.openings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_openings_money();

-- The last census, without a look at other entries.
CREATE INDEX entries_census ON ledger.entries (log, index) WHERE kind = 'census';

-- The entries below "index" are in the sums below.
CREATE TABLE ledger.projected (
    log   integer PRIMARY KEY REFERENCES ledger.writers,
    index bigint  NOT NULL DEFAULT 0 CHECK (index >= 0)
);
INSERT INTO ledger.projected (log) VALUES (0);

-- The next statements to record: of this month, of the organizations that sort after "last". All
-- before are recorded, or withheld by rule. No row until the first month is looked at.
CREATE TABLE ledger.stated (
    log   integer PRIMARY KEY REFERENCES ledger.writers,
    month date    NOT NULL CHECK (extract(day FROM month) = 1),
    last  text    COLLATE "C" NOT NULL DEFAULT ''
);

-- What was posted on a day (of recorded time, UTC), by the entries' own visibility.
CREATE TABLE ledger.daily_sums (
    fund         text    COLLATE "C" NOT NULL,
    account      text    COLLATE "C" NOT NULL,
    currency     text    COLLATE "C" NOT NULL,
    visibility   text    NOT NULL,
    day          date    NOT NULL,
    organization text    COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (scale(amount) = 0),
    PRIMARY KEY (fund, account, currency, visibility, day, organization)
) PARTITION BY HASH (organization);

CREATE INDEX daily_sums_by_day ON ledger.daily_sums (day);

-- What a month came to. "entries" have a posting there; "gifts" are those with income, less the
-- corrections of income; "income" is positive when money came in.
CREATE TABLE ledger.monthly_figures (
    fund         text    COLLATE "C" NOT NULL,
    month        date    NOT NULL CHECK (extract(day FROM month) = 1),
    currency     text    COLLATE "C" NOT NULL,
    visibility   text    NOT NULL,
    organization text    COLLATE "C" NOT NULL,
    entries      bigint  NOT NULL CHECK (entries > 0),
    gifts        bigint  NOT NULL,
    income       numeric NOT NULL CHECK (scale(income) = 0),
    expenses     numeric NOT NULL CHECK (scale(expenses) = 0),
    PRIMARY KEY (fund, month, currency, visibility, organization)
) PARTITION BY HASH (organization);
CREATE INDEX monthly_figures_by_month ON ledger.monthly_figures (month, organization);

DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['daily_sums', 'monthly_figures'] LOOP
        FOR part IN 0..3 LOOP
            EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.%I FOR VALUES WITH (MODULUS 4, REMAINDER %s)', tenant || '_' || part, tenant, part);
        END LOOP;
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ROW LEVEL SECURITY', tenant);
        EXECUTE format('ALTER TABLE ledger.%I FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format('CREATE POLICY tenant ON ledger.%I USING (organization = ANY (read.organizations_in_scope()))', tenant);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA ledger, read TO amply_books;
GRANT SELECT ON ledger.writers, ledger.entries, ledger.chains, ledger.funds, ledger.balances,
    ledger.openings, ledger.checkpoints, ledger.publications, ledger.projected TO amply_books;
GRANT UPDATE ON ledger.projected TO amply_books;
-- It checks everything in the ledger, what comes later included.
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO amply_books;
GRANT SELECT, INSERT, UPDATE ON ledger.daily_sums, ledger.monthly_figures TO amply_books;
GRANT SELECT ON read.organizations TO amply_books;

-- The writer's role may make all that is derived again (`amply ledger rebuild`), entries never.
GRANT DELETE ON ledger.chains, ledger.funds, ledger.balances TO amply_bookkeeping;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.daily_sums, ledger.monthly_figures TO amply_bookkeeping;
GRANT SELECT, UPDATE ON ledger.projected TO amply_bookkeeping;
GRANT SELECT, INSERT, UPDATE ON ledger.stated TO amply_bookkeeping;
GRANT SELECT ON ledger.projected, ledger.stated, ledger.daily_sums, ledger.monthly_figures TO amply_operations;

-- A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.monthly_figures AS
    SELECT organization, month, fund, currency, visibility, entries, gifts, income, expenses
    FROM ledger.monthly_figures WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.monthly_figures TO amply_edge, amply_operations;
