-- `amply ledger balances` is told an organization's name, and asks as the books.
GRANT SELECT ON read.organizations TO amply_books;
