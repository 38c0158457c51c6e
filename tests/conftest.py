from tests.engines import engine_cache, engine_loop, engines, postgres_database

__all__ = ["engine_cache", "engine_loop", "engines", "postgres_database"]
