-- A bank debit is on the balance before the bank has paid it; after its no, a second movement takes all
-- of it back. Neither is a gift's: payouts passes over both, as over the money of others.

ALTER TABLE payouts.foreign_movements
    DROP CONSTRAINT foreign_movements_reason_check,
    ADD CONSTRAINT foreign_movements_reason_check
        CHECK (reason IN ('foreign', 'account_mismatch', 'unpaid_debit'));
