"""Tasks of converters: each module loads what it needs in `prepare` and works in `run`."""
