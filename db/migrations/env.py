"""Alembic's entry: one connection, one transaction, the version table in schema ops."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

url = context.config.attributes["url"]
engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
with engine.connect() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(482019)"))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))
    context.configure(connection=connection, version_table_schema="ops", transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
