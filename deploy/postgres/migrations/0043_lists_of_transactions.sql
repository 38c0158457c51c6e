-- Transactions are listed by when they were recorded, as other lists are by when things were made.
CREATE INDEX transactions_by_time ON ledger.transactions (organization, recorded_at, id);
CREATE INDEX transactions_of_fund_by_time ON ledger.transactions (fund, recorded_at, id);
DROP INDEX ledger.transactions_by_index, ledger.transactions_of_fund;
