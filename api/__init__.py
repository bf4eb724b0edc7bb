"""Floor 6: the FastAPI application, one router for each audience, and the command line."""

from api.app import create_app

__all__ = ["create_app"]
