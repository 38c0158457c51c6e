"""How every worker meets Kafka and PostgreSQL: the only code that knows FastStream."""
