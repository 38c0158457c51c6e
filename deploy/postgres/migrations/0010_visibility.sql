-- What an entry's newest visibility_change says, and the clock that opens delayed entries.

-- Derived from the entries of kind visibility_change, in the transaction that appends them; absent
-- for an entry whose visibility never changed. "public_after" has the form that entries have.
CREATE TABLE ledger.visibility_changes (
    entry_id     text COLLATE "C" NOT NULL,
    organization text COLLATE "C" NOT NULL,
    visibility   text NOT NULL CHECK (visibility IN ('public_aggregated', 'delayed_public', 'public_full')),
    public_after text COLLATE "C" CHECK (octet_length(public_after) = 27),
    changed_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (entry_id, organization),
    CHECK ((visibility = 'delayed_public') = (public_after IS NOT NULL))
);

CREATE INDEX visibility_changes_by_organization ON ledger.visibility_changes (organization, visibility);

-- What was shown cannot be hidden: the order is that of ledger/visibility.py.
CREATE FUNCTION ledger.check_visibility_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    visibilities CONSTANT text[] := ARRAY['public_aggregated', 'delayed_public', 'public_full'];
BEGIN
    IF array_position(visibilities, NEW.visibility) > array_position(visibilities, OLD.visibility)
        OR (NEW.visibility = OLD.visibility AND NEW.public_after < OLD.public_after) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the visibility of % can only become wider', OLD.entry_id
        USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER check_visibility_change BEFORE UPDATE ON ledger.visibility_changes
    FOR EACH ROW EXECUTE FUNCTION ledger.check_visibility_change();

ALTER TABLE ledger.visibility_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.visibility_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ledger.visibility_changes USING (organization = ANY (read.organizations_in_scope()));
GRANT SELECT, INSERT, UPDATE ON ledger.visibility_changes TO amply_bookkeeping;
GRANT SELECT ON ledger.visibility_changes TO amply_operations;

-- A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.visibility_changes AS
    SELECT entry_id, organization, visibility, public_after, changed_by
    FROM ledger.visibility_changes WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.visibility_changes TO amply_edge, amply_notifications, amply_operations;

-- Months before this one are over, and their figures complete.
CREATE VIEW read.stated_months AS SELECT log, month FROM ledger.stated;
GRANT SELECT ON read.stated_months TO amply_edge;
CREATE INDEX monthly_figures_by_organization ON ledger.monthly_figures (organization);

-- The business clock: how far ahead of the recording clock a sandbox is. It only goes forward, and a
-- live deployment never reads it. Entries are dated by the recording clock, whatever this says.
CREATE SCHEMA sandbox;
GRANT USAGE ON SCHEMA sandbox TO amply_operations;
CREATE TABLE sandbox.business_clock (
    is_only boolean  PRIMARY KEY DEFAULT true CHECK (is_only),
    ahead   interval NOT NULL DEFAULT interval '0' CHECK (ahead >= interval '0')
);
INSERT INTO sandbox.business_clock DEFAULT VALUES;
CREATE FUNCTION sandbox.check_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.ahead < OLD.ahead THEN
        RAISE EXCEPTION 'the business clock only goes forward' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_clock BEFORE UPDATE ON sandbox.business_clock
    FOR EACH ROW EXECUTE FUNCTION sandbox.check_clock();
GRANT SELECT, UPDATE ON sandbox.business_clock TO amply_operations;

CREATE VIEW read.business_clock AS SELECT clock_timestamp() + ahead AS now FROM sandbox.business_clock;
GRANT SELECT ON read.business_clock TO amply_edge, amply_operations;
