"""Whether the audit log is whole: the chain, the batches of reads that it seals, and its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.audit import Verdict, verify
from data.audit_heads import Head, kept_heads

__all__ = ["Gap", "WholeVerdict", "verify_all"]

_AT_ONCE = 10_000

# Batches up to the checkpoint were deleted when they were old; nothing of them is there.
_SEALS = text(
    "WITH gone AS (SELECT coalesce(max(through), 0) AS through FROM audit.checkpoint "
    "  WHERE county = :county AND log = 'audit_reads'), "
    "told AS (SELECT subject::bigint AS through FROM audit_log WHERE county = :county "
    "  AND action = 'reads.expire' ORDER BY id DESC LIMIT 1), "
    "seal AS ("
    "  SELECT subject::bigint::text AS batch, detail->>'hash' AS hash, "
    "  (detail->>'rows')::bigint AS rows"
    "  FROM audit_log WHERE county = :county AND action = 'reads.seal' "
    "  AND subject::bigint > (SELECT through FROM gone)), "
    "batch AS ("
    "  SELECT batch::text AS batch, audit_read_hash(:county, batch) AS hash, count(*) AS rows"
    "  FROM audit_read WHERE county = :county GROUP BY batch) "
    "SELECT (SELECT count(*) FROM seal) AS seals, (SELECT sum(rows) FROM batch) AS rows, "
    "coalesce((SELECT min(coalesce(seal.batch, batch.batch)::bigint) FROM seal FULL JOIN batch "
    "USING (batch) WHERE (seal.hash, seal.rows) IS DISTINCT FROM (batch.hash, batch.rows)), "
    "(SELECT gone.through FROM gone JOIN told ON gone.through <> told.through)) AS broken"
)
_GAPS = text(
    "SELECT at, coalesce(detail->>'since', '') AS since, CASE jsonb_typeof(detail->'most_s') "
    "WHEN 'number' THEN least((detail->>'most_s')::numeric, 1e9)::float ELSE 0 END AS most_s "
    "FROM audit_log "
    "WHERE county = :county AND action = 'reads.gap' ORDER BY id"
)
_HASHES = text("SELECT id, hash FROM audit_log WHERE county = :county AND id = ANY (:ids)")
_CHECKPOINT = text(
    "SELECT through, hash, deleted, at FROM audit.checkpoint "
    "WHERE county = :county AND log = 'audit_log'"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Reads that were lost with a process that was killed.

    Attributes
    ----------
    since : str
        When it last wrote; what it read in the `most_s` seconds after may be missing.
    """

    since: str
    most_s: float


@dataclass(frozen=True, slots=True)
class WholeVerdict:
    """What a check found.

    Attributes
    ----------
    chain : Verdict
    reads, batches : int
        Rows that were read, and the seals of their batches.
    broken_batch : int or None
        First batch whose rows are not those that were sealed, or that nothing seals.
    cut_after : Head or None
        First of the heads kept in the state folder that the chain no longer holds.
    heads : int
        How many heads were compared.
    gaps : tuple of Gap
    deleted : int
        Entries that retention has deleted, up to `deleted_through`, which is 0 where it has not.
    is_protected : bool
        Whether the serving role may not change the log.
    """

    chain: Verdict
    reads: int
    batches: int
    broken_batch: int | None
    cut_after: Head | None
    heads: int
    gaps: tuple[Gap, ...]
    deleted: int
    deleted_through: int
    is_protected: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed, taken out or cut off."""
        chain = self.chain
        return (
            chain.broken_at is None
            and chain.holds_head
            and self.broken_batch is None
            and self.cut_after is None
        )


def verify_all(
    session: Session, county: str, home: Path, *, is_protected: bool, head: str | None = None
) -> WholeVerdict:
    """Check the chain, the sealed batches, and the heads that the state folder keeps.

    Parameters
    ----------
    head : str, optional
        A hash kept elsewhere.
    """
    chain = verify(session, county, head=head)
    seals = session.execute(_SEALS, {"county": county}).one()
    heads = list(kept_heads(home, county))
    missing = _missing(session, county, heads)
    # Asked last: what retention deletes meanwhile lies before it.
    checkpoint = session.execute(_CHECKPOINT, {"county": county}).one_or_none()
    through, deleted = (0, 0) if checkpoint is None else (checkpoint.through, checkpoint.deleted)
    kept = {} if checkpoint is None else {through: checkpoint.hash}
    cut = next((h for h in missing if h.id > through or kept.get(h.id, h.hash) != h.hash), None)
    gaps = tuple(Gap(row.since, row.most_s) for row in session.execute(_GAPS, {"county": county}))
    broken = None if seals.broken is None else int(seals.broken)
    return WholeVerdict(
        chain,
        int(seals.rows or 0),
        int(seals.seals),
        broken,
        cut,
        len(heads),
        gaps,
        int(deleted),
        int(through),
        is_protected,
    )


def _missing(session: Session, county: str, heads: Sequence[Head]) -> list[Head]:
    """The heads that the chain does not hold."""
    missing: list[Head] = []
    for begin in range(0, len(heads), _AT_ONCE):
        asked = heads[begin : begin + _AT_ONCE]
        key = {"county": county, "ids": [head.id for head in asked]}
        hashes = {row.id: row.hash for row in session.execute(_HASHES, key)}
        missing += [head for head in asked if hashes.get(head.id) != head.hash]
    return missing
