"""Measured claims, one module each: ``python -m benchmarks.NAME [--small] [--json]``.

Each runs the peers side by side on the same input, prints ratios, and exits with 1 where a
bar is missed. `docs/benchmarks.md` holds only figures that a command here reproduces.
"""
