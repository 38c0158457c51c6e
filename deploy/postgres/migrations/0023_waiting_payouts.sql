-- How many payouts wait for a movement that is not booked yet, over all organizations, for the gauges.
CREATE FUNCTION payouts.waiting() RETURNS TABLE (number bigint, oldest_s double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*), coalesce(extract(epoch FROM now() - min(waiting_since)), 0)
    FROM payouts.payouts WHERE waiting_since IS NOT NULL
$$;
REVOKE ALL ON FUNCTION payouts.waiting FROM PUBLIC;
GRANT EXECUTE ON FUNCTION payouts.waiting TO amply_payouts;
CREATE INDEX payouts_that_wait ON payouts.payouts (waiting_since) WHERE waiting_since IS NOT NULL;
