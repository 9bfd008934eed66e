"""Lines of a bulk operation's result into nodes as pages have them, in bounded memory.

A line is a root (an order) or a child (a line item), which names its root by ``__parentId``. With
``groupObjects`` children stand directly below their root, else somewhere behind it. Here roots are
held until so many younger ones have come that their children are there; whatever is left over then,
a child without its root or a line that is broken, makes its root one to be *read apart*: by its id
from the API, whole. So the order of the lines decides what it costs, and not what is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import orjson

from segmentd.sdk import Rejection
from segmentd_shopify.mapping import number
from segmentd_shopify.operations import MOST_VARIANTS


class Place(NamedTuple):
    """How much of a file lies before a line."""

    byte: int = 0
    line: int = 0


BEGINNING = Place()
_END = Place(2**62, 2**62)


@dataclass(frozen=True)
class Family:
    """What the lines of one stream are: ``kind`` of the roots, ``children`` in order."""

    kind: str
    connection: str | None = None
    """Where a root keeps its children."""
    arranged: Callable[[Iterable[dict[str, Any]]], list[dict[str, Any]]] = list

    def whole(self, node: dict[str, Any], children: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """A root as a page would have it."""
        if self.connection is not None:
            node[self.connection] = {"nodes": self.arranged(children)}
        return node


def _first_variants(variants: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(variants, key=lambda variant: int(variant["position"]))[:MOST_VARIANTS]


FAMILIES = {
    "customers": Family("Customer"),
    "orders": Family("Order", "lineItems"),
    "products": Family("Product", "variants", _first_variants),
}


@dataclass(slots=True)
class _Root:
    place: Place
    node: dict[str, Any]
    children: dict[str, dict[str, Any]]


@dataclass(slots=True)
class _Stray:
    """Children whose root is not held; ``broken``: one of its lines cannot be read."""

    place: Place
    children: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: bool = False


class Join:
    """Takes lines in, gives whole roots out."""

    def __init__(self, family: Family, begin: Place) -> None:
        self._family = family
        self._byte, self._line = begin
        self._roots: dict[str, _Root] = {}
        self._strays: dict[str, _Stray] = {}
        self._apart: set[str] = set()
        self._floor = _END
        self._spans: list[tuple[Place, Place]] = []
        self._rejected: list[Rejection] = []
        self._root_name = re.compile(f"gid://shopify/{family.kind}/[0-9]+")
        # in a broken line the slashes are as in the file, escaped
        escaped = self._root_name.pattern.replace("/", r"\\?/")
        self._names_root = re.compile(escaped.encode())

    @property
    def held(self) -> int:
        """Roots that wait for children."""
        return len(self._roots)

    @property
    def strays(self) -> int:
        """Roots that must be read apart, unless their lines come yet."""
        return len(self._strays)

    @property
    def place(self) -> Place:
        """From here on the file must be read again to get whole what was not given out yet."""
        roots = [root.place for root in self._roots.values()]
        strays = [stray.place for stray in self._strays.values()]
        return self._outside(min(self._here, self._floor, *roots, *strays))

    @property
    def _here(self) -> Place:
        """Before the line that is being taken in; else behind the last one."""
        return Place(self._byte, self._line)

    def _outside(self, place: Place) -> Place:
        """Not between a child and its root behind it, which would come without that child."""
        inside = [first for first, root in self._spans if first < place <= root]
        while inside:
            place = min(inside)
            inside = [first for first, root in self._spans if first < place <= root]
        # places never go back, see whose they are
        self._spans = [span for span in self._spans if span[1] >= place]
        return place

    def add(self, line: bytes) -> None:
        """Take the next line in, which may be empty; without its line feed."""
        if line:
            self._take(line)
            self._line += 1
        self._byte += len(line) + 1

    def _take(self, line: bytes) -> None:
        node = parse(line)
        parent = None if node is None else node.pop("__parentId", None)
        own = None if node is None else node.get("id")
        if node is None or not isinstance(own, str) or not self._can_be_root(parent):
            self._broken(line)
        elif (parent or own) in self._apart:
            return
        elif parent is None:
            self._add_root(own, node)
        else:
            self._add_child(parent, own, node)

    def release(self, count: int) -> list[dict[str, Any]]:
        """The oldest roots, as whole as they are."""
        roots = [self._roots.pop(name) for name in list(islice(self._roots, count))]
        return [self._family.whole(root.node, root.children.values()) for root in roots]

    def read_apart(self) -> Sequence[str]:
        """Ids (numbers) of the roots that are to be read by id; their lines count no more."""
        # their root may still come, and whoever goes on behind these lines would not know
        self._floor = min([self._floor, *(stray.place for stray in self._strays.values())])
        self._apart.update(self._strays)
        ids = [number(name) for name in self._strays]
        self._strays.clear()
        return ids

    def rejected(self) -> list[Rejection]:
        """Lines of which not even the root is known, since the last call."""
        rejected, self._rejected = self._rejected, []
        return rejected

    def _can_be_root(self, parent: object) -> bool:
        if parent is None or parent in self._roots:
            return True
        return isinstance(parent, str) and self._root_name.fullmatch(parent) is not None

    def _add_root(self, name: str, node: dict[str, Any]) -> None:
        place = self._here
        stray = self._strays.get(name)
        if stray is not None and stray.broken:
            return
        if stray is not None:
            del self._strays[name]
            self._spans.append((stray.place, place))
            self._roots[name] = _Root(min(place, stray.place), node, stray.children)
        elif name in self._roots:
            self._roots[name].node = node
        else:
            self._roots[name] = _Root(place, node, {})

    def _add_child(self, parent: str, name: str, node: dict[str, Any]) -> None:
        home = self._roots.get(parent) or self._strays.setdefault(parent, _Stray(self._here))
        home.children[name] = node

    def _broken(self, line: bytes) -> None:
        place = self._here
        found = self._names_root.search(line)
        if found is None:
            reason = "not understood: a line of Shopify's bulk result is no record"
            self._rejected.append(Rejection(f"line {place.line + 1}", reason))
            return
        name = found[0].replace(b"\\", b"").decode()
        root = self._roots.pop(name, None)
        if name not in self._apart:
            stray = self._strays.setdefault(name, _Stray(root.place if root else place))
            stray.broken = True


def parse(line: bytes) -> dict[str, Any] | None:
    """The object that a line is; None if it is none."""
    try:
        node = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            # a lone surrogate spoils a text, not its record
            node = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return node if isinstance(node, dict) else None
