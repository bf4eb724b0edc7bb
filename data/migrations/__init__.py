"""Alembic migrations; `data.migrate` runs them."""
