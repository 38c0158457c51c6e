"""How our processes reach the engines: by addresses that say everything (`contracts.addresses`).

PostgreSQL has no module here: its own DSN says it, and asyncpg reads it wherever one is opened.
"""
