"""The edge's way to PostgreSQL: connections, notifications, questions to the server itself."""
