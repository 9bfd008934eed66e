"""What is kept of the past: changes of memberships, rules and thresholds. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from segmentd.domain.memberships import Cause
from segmentd.pipeline.history import Edit, Flow, Interval, RuleVersion
from segmentd.store.bulk import Bulk, Found
from segmentd.store.engine import Database
from segmentd.store.types import moment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# where a pass went back in time, what it found ends what was found of later times before
_INTERVALS = """
SELECT * FROM (
    SELECT segment, entered, cause, version, change_id,
           min(at) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS at,
           min(at) OVER (w ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS left_at,
           lead(cause) OVER w AS left_cause
    FROM membership_changes WHERE profile_id = ?
    WINDOW w AS (PARTITION BY segment ORDER BY change_id)
) changes WHERE entered = 1 ORDER BY change_id
"""
# the same for a whole segment; from its end, as a frame that shrinks is counted anew at each row
_FLOWS = """
SELECT min(at) OVER (ORDER BY min(change_id) DESC) AS since, cause,
       sum(entered) AS entered, count(*) AS changes
FROM membership_changes WHERE segment = ? GROUP BY at, cause ORDER BY min(change_id)
"""
_THRESHOLDS_AT = """
SELECT expression, threshold FROM thresholds WHERE threshold_id IN (
    SELECT max(threshold_id) FROM thresholds WHERE at <= ? GROUP BY expression)
"""


class HistoryStore:
    """What was, and what is counted over memberships as they are now."""

    _database: Database

    def flows(self, segment: str) -> list[Flow]:
        """All changes of a segment, pass by pass, oldest first.

        Where a later pass was at an earlier instant, those before it are told as of that one.
        """
        return [
            Flow(moment(since), cause, int(entered), int(changes - entered))
            for since, cause, entered, changes in self._rows(_FLOWS, segment)
        ]

    def intervals(self, profile_id: int) -> list[Interval]:
        """When a profile was a member of which segment, oldest first."""
        return [
            Interval(
                row.segment,
                moment(row.at),
                moment(row.left_at) if row.left_at else None,
                row.cause,
                row.left_cause,
                row.version,
            )
            for row in self._rows(_INTERVALS, profile_id)
        ]

    def rule_versions(self, segment: str) -> list[RuleVersion]:
        """Every version of a segment's rule, newest first."""
        rows = self._rows(
            "SELECT version, title, rule, since, current FROM segments WHERE segment = ? "
            "ORDER BY since DESC, current DESC, version",
            segment,
        )
        return [
            RuleVersion(row.version, row.title, row.rule, moment(row.since), bool(row.current))
            for row in rows
        ]

    def edit(self, segment: str, version: str) -> Edit:
        """The changes of the pass in which this version was last put into force."""
        rows = self._rows(
            "SELECT profile_id, entered FROM membership_changes c "
            "WHERE segment = ? AND version = ? AND cause = ? AND at = "
            "(SELECT since FROM segments s WHERE s.segment = c.segment AND s.version = c.version) "
            "ORDER BY profile_id",
            segment,
            version,
            Cause.RULE.value,
        )
        return Edit(
            [profile_id for profile_id, entered in rows if entered],
            [profile_id for profile_id, entered in rows if not entered],
        )

    def thresholds_at(self, at: datetime) -> dict[str, str]:
        """Store-relative expression → the threshold that held at an instant."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows(_THRESHOLDS_AT, bulk.instant(at))
        return {row.expression: row.threshold for row in rows}

    def known_segments(self) -> list[str]:
        """Keys of all segments that memberships were ever made for."""
        return [key for (key,) in self._rows("SELECT DISTINCT segment FROM segments ORDER BY 1")]

    def member_ids(self) -> dict[str, npt.NDArray[np.int64]]:
        """Segment → profile ids of its members, ascending."""
        import numpy as np

        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            joined = bulk.joined("profile_id")
            rows = bulk.rows(f"SELECT segment, {joined} FROM memberships GROUP BY segment")  # noqa: S608
        return {
            segment: np.sort(np.array(numbers.split(","), dtype=np.int64))
            for segment, numbers in rows
        }

    def in_many(self, segments: Iterable[str], limit: int) -> list[int]:
        """Profiles that are in more than ``limit`` of these segments, those in most first."""
        rows = self._rows(
            "SELECT profile_id FROM memberships WHERE segment IN (?*) GROUP BY profile_id "
            "HAVING count(*) > ? ORDER BY count(*) DESC, profile_id",
            list(segments),
            limit,
        )
        return [profile_id for (profile_id,) in rows]

    def order_times(self) -> tuple[datetime | None, datetime | None]:
        """When the oldest and the latest order that counts were placed."""
        ((first, last),) = self._rows(
            "SELECT min(placed_at), max(placed_at) FROM orders "
            "WHERE counted = 1 AND profile_id IS NOT NULL"
        )
        return (moment(first), moment(last)) if first is not None else (None, None)

    def last_moves(self) -> dict[str, datetime]:
        """Segment → when anybody last entered or left it otherwise than by an edited rule."""
        rows = self._rows(
            "SELECT segment, max(at) FROM membership_changes WHERE cause <> ? GROUP BY segment",
            Cause.RULE.value,
        )
        return {segment: moment(at) for segment, at in rows}

    def rules_since(self) -> dict[str, datetime]:
        """Segment → since when its present rule is in force."""
        rows = self._rows("SELECT segment, since FROM segments WHERE current = 1")
        return {segment: moment(since) for segment, since in rows}

    def _rows(self, statement: str, *values: object) -> Sequence[Found]:
        with self._database.read() as connection:
            return Bulk(connection, sqlite=self._database.sqlite).rows(statement, *values)
