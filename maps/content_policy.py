"""The content policy of pages: scripts and styles from this host, or known by their hash.

See ``docs/decisions/0019-content-policy.md``.
"""

import base64
import hashlib
from collections.abc import Sequence

__all__ = ["PAGE_POLICY", "file_policy", "hash_of", "page_policy"]


def hash_of(text: str) -> str:
    """The source expression of an inline element with exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page_policy(scripts: Sequence[str] = ()) -> str:
    """The policy of a served page.

    Parameters
    ----------
    scripts : sequence of str
        Texts of the inline scripts that it may run beside those of this host.
    """
    inline = "".join(f" {hash_of(text)}" for text in scripts)
    return (
        f"default-src 'self'; img-src 'self' data:; script-src 'self'{inline}; style-src 'self'; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
    )


def file_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The policy of a page that is a file of its own: it asks nobody for anything."""
    return (
        f"default-src 'none'; img-src data:; script-src {' '.join(map(hash_of, scripts))}; "
        f"style-src {' '.join(map(hash_of, styles))}; base-uri 'none'; form-action 'none'"
    )


PAGE_POLICY = page_policy()
