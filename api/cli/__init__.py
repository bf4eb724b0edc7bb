"""The ``onegrid`` command line."""


def main() -> None:
    """Run."""
