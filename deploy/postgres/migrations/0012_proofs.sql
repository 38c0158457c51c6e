-- What proofs and publication read: announcements of keys, and chains as they stood at a census.

-- Which keys sign is asked at each checkpoint; there are few announcements among many entries.
CREATE INDEX entries_key_changes ON ledger.entries (log, index) WHERE kind = 'key_change';

-- Heads are in the public log, so no tenant owns them.
CREATE VIEW read.chains AS SELECT organization, log, seq, head FROM ledger.chains;
GRANT SELECT ON read.chains TO amply_edge, amply_operations;

-- Where the chain of an organization, whose newest entry is at "newest", ended before an index of the
-- log; -1 when it had not begun. It steps back twice as far each time, then halves the rest, since
-- most organizations have few entries since the last census and some have millions.
CREATE FUNCTION read.seq_before(chain text, newest bigint, before bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := newest + 1;
    high bigint;
    middle bigint;
    step bigint := 1;
BEGIN
    LOOP
        high := low;
        low := greatest(-1, high - step);
        EXIT WHEN low = -1 OR (SELECT index FROM read.entries WHERE organization = chain AND seq = low) < before;
        step := step * 2;
    END LOOP;
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        IF (SELECT index FROM read.entries WHERE organization = chain AND seq = middle) < before THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
REVOKE EXECUTE ON FUNCTION read.seq_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read.seq_before TO amply_edge;
