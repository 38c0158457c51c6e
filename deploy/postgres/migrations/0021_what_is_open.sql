-- What reconciliation reads of accounts, refunds, disputes and payouts.

-- Refunds and disputes that are not final: neither Stripe nor we know how they end.
CREATE VIEW read.open_refunds AS
    SELECT r.organization, r.id, r.status, a.account, r.stripe_refund, r.created_at
    FROM payments.refunds AS r JOIN payments.attempts AS a USING (donation, organization)
    WHERE r.status IN ('requested', 'pending', 'requires_action')
        AND r.organization = ANY (read.organizations_in_scope());
CREATE VIEW read.open_disputes AS
    SELECT d.organization, d.id, d.status, a.account, d.stripe_dispute, d.created_at
    FROM payments.disputes AS d JOIN payments.attempts AS a USING (donation, organization)
    WHERE d.status NOT IN ('won', 'lost', 'prevented', 'warning_closed')
        AND d.organization = ANY (read.organizations_in_scope());

-- Payouts that should have arrived. The day of arrival is whole, so they are late from its end on.
CREATE VIEW read.late_payouts AS
    SELECT organization, id, status, account, arrival_date + interval '1 day' AS late_since
    FROM payouts.payouts
    WHERE status IN ('pending', 'in_transit') AND organization = ANY (read.organizations_in_scope());

GRANT SELECT ON read.accounts, read.foreign_movements, read.open_refunds, read.open_disputes,
    read.late_payouts TO amply_reconciliation;
