"""PostgreSQL: migrations and the roles of the processes."""
