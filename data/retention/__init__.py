"""Retention: how long each kind of record is kept, why, and what was deleted when (decision 25)."""
