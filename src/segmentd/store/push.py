"""What a push keeps (``PushPort``): names, and in the ledger what was noted and confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from segmentd.domain.identity import tag_key
from segmentd.domain.ledger import Difference, LedgerState
from segmentd.pipeline.ports import Lease
from segmentd.sdk.contract import Action, Outcome, Receipt
from segmentd.store.content import clean
from segmentd.store.differences import DifferenceStore, Values
from segmentd.store.tables import LedgerRow

_TABLES = LedgerRow.metadata.tables
_LEDGER: Table = _TABLES["ledger"]
_NAMES: Table = _TABLES["destination_names"]
_REJECTIONS: Table = _TABLES["rejections"]

_FORGET = """
DELETE FROM ledger
WHERE destination = :destination AND name_key = :name_key AND target = :target
"""

_OURS = (LedgerState.DELIVERED.value, LedgerState.PENDING.value)

_SETTLE = """
DELETE FROM rejections
WHERE origin = :origin AND kind = :kind AND id = :id
"""


class PushStore(DifferenceStore):
    """``PushPort`` on the tables ``ledger``, ``destination_names`` and ``rejections``."""

    def delivered(self, destination: str) -> Mapping[str, int]:
        """Name → how many the ledger holds as ours: delivered, or about to change."""
        columns = _LEDGER.c
        counted = (
            select(columns.name, func.count())
            .where(columns.destination == destination, columns.state.in_(_OURS))
            .group_by(columns.name)
        )
        with self._database.read() as connection:
            return {name: int(count) for name, count in connection.execute(counted)}

    def names(self, destination: str) -> dict[str, str]:
        """Name → remote id, as kept from ``prepare``."""
        columns = _NAMES.c
        kept = select(columns.name, columns.remote_id).where(columns.destination == destination)
        with self._database.read() as connection:
            return {row.name: row.remote_id for row in connection.execute(kept)}

    def save_names(self, lease: Lease, destination: str, names: Mapping[str, str]) -> None:
        """Keep what the names are called by the destination itself."""
        rows = [
            {"destination": destination, "name": name, "remote_id": remote_id}
            for name, remote_id in names.items()
        ]
        with self._database.write(lease) as connection:
            _upsert(connection, _NAMES, rows, ())

    def note(
        self,
        lease: Lease,
        destination: str,
        needs: str,
        entries: Iterable[tuple[Difference, LedgerState | None]],
        now: datetime,
    ) -> None:
        """Set the ledger state of some targets; None forgets the row, and that it was refused."""
        kept, forgotten, settled = [], [], []
        for difference, state in entries:
            if state is None:
                key = _key(destination, needs, difference)
                forgotten.append(key)
                settled.append(_place(destination, key, difference.name))
            else:
                kept.append(_entry(destination, needs, difference, state, now))
        with self._database.write(lease) as connection:
            _upsert(connection, _LEDGER, kept, ("first_at",))
            _forget(connection, forgotten)
            _settle(connection, settled)

    def record(
        self,
        lease: Lease,
        destination: str,
        needs: str,
        receipts: Sequence[tuple[Difference, Receipt]],
        now: datetime,
    ) -> None:
        """Enter receipts into ledger and rejections."""
        kept, forgotten, refused, settled = [], [], [], []
        ours = self._ours(destination, [receipt for _, receipt in receipts if receipt.was_there])
        for difference, receipt in receipts:
            key = _key(destination, needs, difference)
            if receipt.outcome is not Outcome.APPLIED:
                refused.append(_rejection(destination, key, receipt, now))
                if _is_still_there(receipt):
                    continue
                entry = _entry(destination, needs, difference, LedgerState.REJECTED, now)
                kept.append({**entry, "detail": clean(receipt.detail or receipt.outcome.value)})
                continue
            settled.append(_place(destination, key, receipt.change.name))
            removed = receipt.change.action is Action.REMOVE
            if removed and needs == "email":
                forgotten.append(key)
                continue
            state = _state(difference, receipt, ours)
            entry = _entry(destination, needs, difference, state, now)
            remote_id = receipt.remote_id or difference.remote_id
            kept.append({**entry, "remote_id": remote_id, "remote_updated_at": receipt.updated_at})
        with self._database.write(lease) as connection:
            _upsert(connection, _LEDGER, kept, ("first_at",))
            _forget(connection, forgotten)
            _settle(connection, settled)
            _upsert(connection, _REJECTIONS, refused, ("first_at",), counted="times")

    def _ours(self, destination: str, receipts: Sequence[Receipt]) -> Set[tuple[str, str | None]]:
        """Name key and remote id of those among ``receipts`` that the ledger holds as ours."""
        columns = _LEDGER.c
        found = select(columns.name_key, columns.remote_id).where(
            columns.remote_id.in_({receipt.remote_id for receipt in receipts}),
            # SQLite would take the beginning of the primary key for a better index
            columns.destination.concat("") == destination,
            columns.state.in_(_OURS),
        )
        with self._database.read() as connection:
            return {(row.name_key, row.remote_id) for row in connection.execute(found)}


def _key(destination: str, needs: str, difference: Difference) -> Values:
    return {
        "destination": destination,
        "name_key": tag_key(difference.name),
        "target": difference.target.key(needs),
    }


def _entry(
    destination: str, needs: str, difference: Difference, state: LedgerState, now: datetime
) -> Values:
    target = difference.target
    return {
        **_key(destination, needs, difference),
        "name": difference.name,
        "profile_id": target.profile_id,
        "customer_id": target.customer_id,
        "email": target.email,
        "segment": difference.segment,
        "state": state.value,
        "remote_id": difference.remote_id,
        "remote_updated_at": None,
        "first_at": now,
        "last_at": now,
        "detail": None,
    }


def _state(
    difference: Difference, receipt: Receipt, ours: Set[tuple[str, str | None]]
) -> LedgerState:
    """What a change that was carried out makes of an entry."""
    if receipt.change.action is Action.REMOVE:
        # what was read of the customer may still show a tag that is not there any more
        return LedgerState.REMOVED
    by_us = (tag_key(receipt.change.name), receipt.remote_id) in ours
    if receipt.was_there and difference.state is None and not by_us:
        # nothing had been begun, so somebody else put them there
        return LedgerState.FOREIGN
    return LedgerState.DELIVERED


def _place(destination: str, key: Values, name: str) -> Values:
    return {"origin": f"destination:{destination}", "kind": name, "id": key["target"]}


def _is_still_there(receipt: Receipt) -> bool:
    """A removal that was refused: what is there stays ours, and is asked for again. Forgotten, it
    would be taken for the merchant's own when the customer comes back, and never removed."""
    return receipt.change.action is Action.REMOVE and receipt.outcome is Outcome.REJECTED


def _rejection(destination: str, key: Values, receipt: Receipt, now: datetime) -> Values:
    return {
        **_place(destination, key, receipt.change.name),
        "reason": clean(receipt.detail or receipt.outcome.value),
        "first_at": now,
        "last_at": now,
        "times": 1,
    }


def _upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Values],
    once: Sequence[str],
    counted: str | None = None,
) -> None:
    """Insert or overwrite; columns named in ``once`` keep their first value."""
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed = {
        name: statement.excluded[name] for name in rows[0] if name not in keys and name not in once
    }
    if counted is not None:
        changed[counted] = table.c[counted] + 1
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows)
    )


def _forget(connection: Connection, keys: Sequence[Values]) -> None:
    if keys:
        connection.execute(text(_FORGET), list(keys))


def _settle(connection: Connection, keys: Sequence[Values]) -> None:
    """What went through at last is no rejection any more."""
    if keys:
        connection.execute(text(_SETTLE), list(keys))
