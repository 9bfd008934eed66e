"""The differences of wish and ledger: what a push has to do.

Two anti-joins that go by the indexes of memberships, customers and ledger, so that nothing is
returned, and next to nothing read into memory, when nothing is to be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orjson import dumps
from sqlalchemy import Connection, Row, Table, select, text

from segmentd.domain.identity import tag_key
from segmentd.domain.ledger import Difference, LedgerState, Target
from segmentd.pipeline.ports import Wish
from segmentd.store.engine import Database
from segmentd.store.tables import LedgerRow

_COUNTERS: Table = LedgerRow.metadata.tables["counters"]
_PROFILES: Table = LedgerRow.metadata.tables["profiles"]

Values = dict[str, Any]

# ``find(haystack, needle)`` stands for the dialect's own function
_SEEN = "CASE WHEN length(c.hash) = 0 THEN NULL WHEN find(c.tag_keys, {key}) > 0 THEN 1 ELSE 0 END"
# change times are whole seconds: in that of a removal, only who has the tag no more was read later
_LATER = """CASE WHEN c.updated_at > l.remote_updated_at OR (l.state = 'removed'
 AND c.updated_at = l.remote_updated_at AND find(c.tag_keys, {key}) = 0) THEN 1 ELSE 0 END"""

_WANTED_TAGS = f"""
SELECT w.name, w.segment, w.restore, m.profile_id, c.customer_id, c.email, c.customer_id AS target,
       l.state, l.remote_id, {_SEEN.format(key="w.packed_key")} AS seen,
       {_LATER.format(key="w.packed_key")} AS later, 0 AS shared
FROM {{members}} CROSS JOIN customers c
LEFT JOIN ledger l ON l.destination = :destination AND l.name_key = w.name_key
                  AND l.target = c.customer_id
WHERE {{chosen}} AND m.segment = w.segment AND c.profile_id = m.profile_id
  AND c.source = :source AND c.guest = 0 AND c.gone_at IS NULL
  AND (l.state IS NULL OR l.state IN ('pending', 'removed')
   OR (l.state = 'delivered' AND c.updated_at > l.remote_updated_at
       AND find(c.tag_keys, w.packed_key) = 0)
   OR (l.state = 'foreign' AND w.restore = 1 AND find(c.tag_keys, w.packed_key) = 0)
   OR (l.state = 'taken_off' AND w.restore = 1))
"""  # noqa: S608 - built from constants

_WANTED_LISTS = """
SELECT w.name, w.segment, w.restore, p.profile_id, NULL AS customer_id, p.email_key AS email,
       p.email_key AS target, l.state, l.remote_id, NULL AS seen, 0 AS later, 0 AS shared
FROM wishes w
JOIN (SELECT m.segment, p.email_key, min(p.profile_id) AS profile_id
      FROM {members} CROSS JOIN profiles p
      WHERE {chosen} AND m.segment = w.segment AND p.profile_id = m.profile_id
        AND p.email_key IS NOT NULL AND p.gone_at IS NULL
      GROUP BY m.segment, p.email_key) p ON p.segment = w.segment
LEFT JOIN ledger l ON l.destination = :destination AND l.name_key = w.name_key
                  AND l.target = p.email_key
WHERE l.state IS NULL OR l.state = 'pending' OR (l.state = 'taken_off' AND w.restore = 1)
"""

_UNWANTED_TAGS = f"""
SELECT l.name, l.segment, 0 AS restore, l.profile_id, l.customer_id, l.email, l.target,
       l.state, l.remote_id,
       CASE WHEN c.gone_at IS NOT NULL THEN 0 ELSE {_SEEN.format(key="l.packed_key")} END AS seen,
       CASE WHEN c.gone_at IS NOT NULL THEN 1 ELSE {_LATER.format(key="l.packed_key")} END AS later,
       0 AS shared
FROM (SELECT l.*, {{newline}} || l.name_key || {{newline}} AS packed_key
      FROM {{ledger}} l WHERE l.destination = :destination) l
LEFT JOIN customers c ON c.source = :source AND c.customer_id = l.target
WHERE NOT EXISTS (
    SELECT 1 FROM wishes w JOIN memberships m ON m.segment = w.segment
    WHERE w.name_key = l.name_key AND m.profile_id = c.profile_id AND c.gone_at IS NULL)
  AND (l.state <> 'removed' OR c.gone_at IS NOT NULL
   OR {_LATER.format(key="l.packed_key")} = 1)
"""  # noqa: S608 - built from constants

_WISHED = """EXISTS (
    SELECT 1 FROM profiles p CROSS JOIN memberships m CROSS JOIN wishes w
    WHERE p.email_key = {entry}.target AND p.gone_at IS NULL AND m.profile_id = p.profile_id
      AND w.segment = m.segment AND w.name_key = {entry}.name_key)"""
_UNWANTED_LISTS = f"""
SELECT l.name, l.segment, 0 AS restore, l.profile_id, l.customer_id, l.email, l.target,
       l.state, l.remote_id, NULL AS seen, 0 AS later, CASE WHEN EXISTS (
    SELECT 1 FROM ledger o
    WHERE o.remote_id = l.remote_id AND o.destination || '' = l.destination
      AND o.name_key = l.name_key AND o.target <> l.target
      AND o.state IN ('pending', 'delivered', 'foreign') AND {_WISHED.format(entry="o")}
    ) THEN 1 ELSE 0 END AS shared
FROM {{ledger}} l
WHERE l.destination = :destination AND NOT {_WISHED.format(entry="l")}
"""  # noqa: S608 - built from constants

# CROSS JOIN pins the order on SQLite, and "|| ''" keeps it from the index that begins with the
# destination: without statistics it takes any prefix of a primary key for a good one
_EVERYBODY = {"members": "wishes w CROSS JOIN memberships m", "chosen": "1 = 1", "ledger": "ledger"}
_CHANGED = {
    "members": "changed t CROSS JOIN memberships m CROSS JOIN wishes w",
    "chosen": "m.profile_id = t.profile_id",
    "ledger": """(
    SELECT e.* FROM changed t CROSS JOIN ledger e
    WHERE e.profile_id = t.profile_id AND e.destination || '' = :destination
    UNION
    SELECT e.* FROM changed t CROSS JOIN profiles p CROSS JOIN wishes w CROSS JOIN ledger e
    WHERE p.profile_id = t.profile_id AND e.destination = :destination
      AND e.name_key = w.name_key AND e.target = p.email_key)""",
}

_FEW = 20_000
"""Profiles up to which looking at each of them is cheaper than comparing everything."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """A comparison that found nothing to do: what was asked, and the last change that it saw."""

    asked: tuple[object, ...]
    touched: int


class DifferenceStore:
    """The reading half of ``PushPort``."""

    _database: Database
    _settled: dict[str, _Settled]

    def differences(
        self, destination: str, source: str | None, needs: str, wishes: Sequence[Wish]
    ) -> Iterator[Difference]:
        """Each (name, target) on which wish and ledger disagree, or the shop was seen to differ.

        After a comparison that found nothing, the next one with the same wishes looks only at
        profiles that changed since: an idle shop must not cost what a large one does.
        """
        asked = (source, needs, tuple(wishes))
        with self._database.read() as connection:
            touched = _touched(connection)
            profiles = self._changed(connection, destination, asked)
            found = 0
            for difference in self._compared(connection, destination, asked, profiles):
                found += 1
                yield difference
        if not found:
            self._settled[destination] = _Settled(asked, touched)

    def _compared(
        self,
        connection: Connection,
        destination: str,
        asked: tuple[str | None, str, tuple[Wish, ...]],
        profiles: list[int] | None,
    ) -> Iterator[Difference]:
        source, needs, wishes = asked
        if profiles == []:
            return
        by_customer = needs == "customer_id"
        queries = (
            (_WANTED_TAGS, _UNWANTED_TAGS) if by_customer else (_WANTED_LISTS, _UNWANTED_LISTS)
        )
        values, wished = _wishes(wishes)
        values.update(destination=destination)
        if by_customer:
            values.update(source=source)
        if profiles is not None:
            values.update(profiles=dumps(profiles).decode() if self._database.sqlite else profiles)
        # several segments may want one name for one target
        shared = len({tag_key(wish.to.name) for wish in wishes}) < len(wishes)
        seen: set[tuple[str, str]] = set()
        for query, wanted in zip(queries, (True, False), strict=True):
            statement = text(self._spelled(wished, query, some=profiles is not None))
            for row in connection.execute(statement, values):
                if shared and (row.name, row.target) in seen:
                    continue
                if shared:
                    seen.add((row.name, row.target))
                yield _difference(row, wanted=wanted)

    def _changed(
        self, connection: Connection, destination: str, asked: tuple[object, ...]
    ) -> list[int] | None:
        """Profiles that changed since nothing was left to do; None: compare everybody."""
        settled = self._settled.get(destination)
        if settled is None or settled.asked != asked:
            return None
        columns = _PROFILES.c
        changed = select(columns.profile_id).where(columns.touched > settled.touched)
        profiles = list(connection.execute(changed.limit(_FEW + 1)).scalars())
        return profiles if len(profiles) <= _FEW else None

    def _spelled(self, wished: str, query: str, *, some: bool) -> str:
        for place, words in (_CHANGED if some else _EVERYBODY).items():
            query = query.replace(f"{{{place}}}", words)
        if self._database.sqlite:
            changed = "SELECT value AS profile_id FROM json_each(:profiles)"
            query = query.replace("find(", "instr(").replace("{newline}", "char(10)")
        else:
            changed = "SELECT unnest(CAST(:profiles AS bigint[])) AS profile_id"
            query = query.replace("find(", "strpos(").replace("{newline}", "chr(10)")
        return f"{wished}, changed AS ({changed}) {query}" if some else f"{wished} {query}"


def _touched(connection: Connection) -> int:
    columns = _COUNTERS.c
    counted = select(columns.value).where(columns.name == "touched")
    return connection.execute(counted).scalar() or 0


def _wishes(wishes: Sequence[Wish]) -> tuple[Values, str]:
    """The wishes as a common table expression, and the values that it refers to.

    Segments that share a name share its spelling, and whether it is put back.
    """
    columns = ("segment", "name", "name_key", "packed_key")
    parts: list[str] = []
    values: Values = {}
    spelled = {tag_key(wish.to.name): wish.to.name for wish in reversed(wishes)}
    restored = {tag_key(wish.to.name) for wish in wishes if wish.to.restore}
    for n, wish in enumerate(wishes):
        key = tag_key(wish.to.name)
        texts = (wish.segment, spelled[key], key, f"\n{key}\n")
        values.update(
            {f"{column}_{n}": value for column, value in zip(columns, texts, strict=True)}
        )
        values[f"restore_{n}"] = int(key in restored)
        selected = ", ".join(f"CAST(:{column}_{n} AS TEXT) AS {column}" for column in columns)
        parts.append(f"SELECT {selected}, CAST(:restore_{n} AS INTEGER) AS restore")
    if not parts:
        nothing = ", ".join(f"CAST('' AS TEXT) AS {column}" for column in columns)
        parts = [f"SELECT {nothing}, 0 AS restore WHERE 1 = 0"]
    return values, f"WITH wishes AS ({' UNION ALL '.join(parts)})"


def _difference(row: Row[Any], *, wanted: bool) -> Difference:
    return Difference(
        name=row.name,
        target=Target(row.profile_id, row.customer_id, row.email),
        wanted=wanted,
        state=LedgerState(row.state) if row.state else None,
        segment=row.segment,
        remote_id=row.remote_id,
        observed=None if row.seen is None else bool(row.seen),
        observed_later=bool(row.later),
        restore=bool(row.restore),
        shared=bool(row.shared),
    )
