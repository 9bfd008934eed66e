"""Writes tags into one key of the customer meta: the only place of a customer that the API writes.

The value is a text of sorted tags with commas. The API can only replace it whole, so each customer
is read right before; tags in it that are not to be changed stay. Nothing else of a customer is
ever sent: items of a batch are not validated, and a wrong e-mail in one would empty the account's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from segmentd.sdk import (
    Action,
    Capabilities,
    Change,
    ConfigError,
    ConnectorSettings,
    Destination,
    DestinationInfo,
    Outcome,
    Receipt,
    Runtime,
    TransientError,
    clean,
    instant,
    tag_key,
)
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.errors import ForbiddenError, MissingError, TooMuchError
from segmentd_woocommerce.mapping import meta_value, tags_in
from segmentd_woocommerce.pages import LARGEST_PAGE, Row
from segmentd_woocommerce.settings import WooCommerceSettings

_FIELDS = "id,date_modified_gmt,meta_data"
_LONGEST_NAME = 255
_INDIVISIBLE = 10
"""So many customers and fewer are tried again as they are, more are halved first: a slow host
needs 3 s and more for 100."""
_PORTION_WITHOUT_BATCH = 10
"""Customers read at once if they are written one by one: the value must be fresh."""


@dataclass
class _Task:
    """What is to happen to one customer."""

    id: int
    changes: list[Change] = field(default_factory=list)
    value: str | None = None
    """The meta value to write; None removes the key."""

    def receipts(
        self, outcome: Outcome, detail: str | None = None, updated_at: datetime | None = None
    ) -> Iterator[Receipt]:
        for change in self.changes:
            yield Receipt(change, outcome, detail, updated_at=updated_at)


class WooCommerceDestination(Destination):
    """The tags of a store's customers, in their meta."""

    Settings = WooCommerceSettings
    capabilities = Capabilities(
        kind="tags", batch_size=LARGEST_PAGE, needs="customer_id", seconds_per_request=3.0
    )

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        if not isinstance(settings, WooCommerceSettings):
            raise ConfigError("these are not the settings of a WooCommerce store")
        self._key = settings.meta_key
        self._host = urlsplit(settings.store).hostname or ""
        self._client = WooClient(settings, runtime)
        self._may_batch = True
        seconds = self.capabilities.seconds_per_request / settings.load
        self.capabilities = replace(self.capabilities, seconds_per_request=seconds)

    def info(self) -> DestinationInfo:
        """A batch of nothing: refused if the key may not write."""
        warnings = []
        try:
            self._client.prove_write()
        except ForbiddenError as error:
            self._give_up_batches(error)
            warnings.append(
                "the key belongs to a shop manager: customers are written one by one, and accounts"
                " of other roles than customer are refused; an administrator's key is faster"
            )
        return DestinationInfo(self._host, warnings)

    def check_name(self, name: str) -> None:
        """A comma would make two tags of one."""
        if clean(name) != name or not name.isprintable() or "," in name:
            raise ConfigError(f"{name!r} cannot be a tag: commas and outer blanks are not possible")
        if len(name) > _LONGEST_NAME:
            raise ConfigError(f"{name!r:.40} cannot be a tag: more than {_LONGEST_NAME} characters")

    def apply(
        self,
        changes: Iterable[Change],
        names: Mapping[str, str],  # noqa: ARG002 - tags have no ids
    ) -> Iterator[Receipt]:
        """In portions of customers: read, change the value where it differs, verify."""
        tasks: dict[int, _Task] = {}
        for change in changes:
            customer_id = change.customer_id or ""
            if not (customer_id.isascii() and customer_id.isdigit()):
                yield Receipt(change, Outcome.REJECTED, "no customer account of this store")
                continue
            id_ = int(customer_id)
            if id_ not in tasks and len(tasks) == self._portion:
                yield from self._apply(list(tasks.values()))
                tasks.clear()
            tasks.setdefault(id_, _Task(id_)).changes.append(change)
        if tasks:
            yield from self._apply(list(tasks.values()))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @property
    def _portion(self) -> int:
        return LARGEST_PAGE if self._may_batch else _PORTION_WITHOUT_BATCH

    def _give_up_batches(self, error: ForbiddenError) -> None:
        if not error.code.endswith("_cannot_batch"):
            raise error
        self._may_batch = False

    def _apply(self, tasks: list[_Task]) -> Iterator[Receipt]:
        try:
            rows = self._read(tasks)
        except TooMuchError:
            yield from self._halves(tasks)
            return
        due = []
        for task in tasks:
            row = rows.get(task.id)
            if row is None:
                yield from task.receipts(Outcome.GONE)
                continue
            try:
                is_due = self._decide(task, row)
            except ValueError as error:
                yield from task.receipts(Outcome.REJECTED, str(error))
                continue
            if is_due:
                due.append(task)
            else:
                # each write moves date_modified and starts webhooks: none without need
                yield from task.receipts(Outcome.APPLIED, updated_at=_changed(row))
        if due:
            yield from self._write(due)

    def _halves(self, tasks: list[_Task]) -> Iterator[Receipt]:
        """The same in two portions, read anew: a write that failed may have been done."""
        middle = len(tasks) // 2
        yield from self._apply(tasks[:middle])
        yield from self._apply(tasks[middle:])

    def _read(self, tasks: list[_Task]) -> dict[int, Row]:
        """The customers as they are now; without those that are gone."""
        ids = [task.id for task in tasks]
        params = {"role": "all", "_fields": _FIELDS}
        listed = self._client.named("customers", ids, params, divisible=_is_divisible(ids))
        rows = {row["id"]: row for row in listed}
        for id_ in ids:
            if id_ not in rows and (row := self._read_one(id_)) is not None:
                rows[id_] = row
        return rows

    def _read_one(self, id_: int) -> Row | None:
        """A customer who is in no list; None only if the store says that there is none."""
        try:
            row: Row = self._client.get(f"customers/{id_}", {"_fields": _FIELDS}).json()
        except MissingError:
            return None
        return row

    def _decide(self, task: _Task, row: Row) -> bool:
        """Whether something is to be written for the task, and what."""
        tags = before = tags_in(meta_value(row, self._key))
        for change in task.changes:
            key = tag_key(change.name)
            if change.action is Action.REMOVE:
                tags = [tag for tag in tags if tag_key(tag) != key]
            elif all(tag_key(tag) != key for tag in tags):
                tags = [*tags, change.name]
        task.value = ",".join(sorted(tags)) or None
        return tags != before

    def _write(self, tasks: list[_Task]) -> Iterator[Receipt]:
        if self._may_batch:
            body = {"update": [{"id": task.id, **self._meta(task)} for task in tasks]}
            try:
                # no _fields here: it would empty the answer
                answer = self._client.write(
                    "POST", "customers/batch", body, divisible=_is_divisible(tasks)
                )
            except ForbiddenError as error:
                self._give_up_batches(error)
            except TooMuchError:
                yield from self._halves(tasks)
                return
            else:
                yield from self._receipts(tasks, answer)
                return
        for task in tasks:
            yield from self._write_one(task)

    def _write_one(self, task: _Task) -> Iterator[Receipt]:
        path = f"customers/{task.id}"
        try:
            row = self._client.write("PUT", path, self._meta(task), _fields=_FIELDS)
        except MissingError:
            yield from task.receipts(Outcome.GONE)
        except ForbiddenError as error:
            if not error.code.endswith("_cannot_edit"):
                raise
            detail = "the owner of the key may not change accounts of this role"
            yield from task.receipts(Outcome.REJECTED, detail)
        else:
            yield from self._verified(task, row)

    def _meta(self, task: _Task) -> dict[str, Any]:
        return {"meta_data": [{"key": self._key, "value": task.value}]}

    def _receipts(self, tasks: list[_Task], answer: Any) -> Iterator[Receipt]:
        """Answers come in the order of the request, each with its id."""
        items = answer.get("update") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise TransientError("customers/batch: the answer names no customers")
        for task, item in zip(tasks, items, strict=False):
            if not isinstance(item, dict) or item.get("id") != task.id:
                continue  # not named, so not done: it will be asked again
            if "error" in item:
                yield from _failed(task, item["error"])
            else:
                yield from self._verified(task, item)

    def _verified(self, task: _Task, row: Row) -> Iterator[Receipt]:
        """The store drops some keys and characters without an error."""
        if meta_value(row, self._key) == task.value:
            yield from task.receipts(Outcome.APPLIED, updated_at=_changed(row))
        else:
            detail = f"the store did not keep the customer meta {self._key} as sent"
            yield from task.receipts(Outcome.REJECTED, detail)


def _is_divisible(many: Sequence[object]) -> bool:
    return len(many) > _INDIVISIBLE


def _failed(task: _Task, error: Mapping[str, Any]) -> Iterator[Receipt]:
    code = str(error.get("code"))
    data = error.get("data")
    status = data.get("status") if isinstance(data, dict) else data
    if code == "wc_user_invalid_id":
        yield from task.receipts(Outcome.GONE)
    elif isinstance(status, int) and 400 <= status < 500 and status != 429:
        yield from task.receipts(Outcome.REJECTED, f"the store refuses the change: {code:.80}")


def _changed(row: Row) -> datetime | None:
    stamp = row["date_modified_gmt"]
    return instant(stamp) if stamp else None
