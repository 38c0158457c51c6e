"""The ledger in PostgreSQL: asyncpg and nothing else."""
