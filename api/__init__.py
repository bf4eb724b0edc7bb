"""Floor 6: the FastAPI application, one router for each audience, and the command line."""
