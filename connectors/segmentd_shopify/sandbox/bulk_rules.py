"""What Shopify refuses to run as a bulk operation, in its own words.

https://shopify.dev/docs/api/usage/bulk-operations/queries#operation-restrictions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from segmentd_shopify.sandbox.schema import Prepared, Refused, prepare

MOST_BYTES = 65_535
MOST_CONNECTIONS = 5
DEEPEST = 2


def refusals(text: str, version: str) -> list[str]:
    """Why ``text`` is not run in bulk; nothing if it is."""
    try:
        prepared = prepare(text, version)
    except Refused as refused:
        return [f"Invalid bulk query: {error['message']}" for error in refused.errors]
    if prepared.operation.operation.value != "query":
        return ["Invalid operation type. Only `query` operations are supported."]
    survey = _Survey(prepared)
    survey.look()
    if survey.errors:
        return survey.errors
    too_large = len(text.encode()) > MOST_BYTES
    return [f"Query is too large. Maximum is {MOST_BYTES} bytes."] if too_large else []


@dataclass
class _Survey:
    prepared: Prepared
    connections: int = 0
    deepest: int = 0
    in_list: bool = False
    with_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def look(self) -> None:
        operation = self.prepared.operation
        root = self.prepared.schema.query_type
        top = list(self._fields(operation.selection_set))
        names = [node.name.value for node in top]
        for node in top:
            self._field(root, node, 0, inside_list=False)
        self._judge(names)

    def _judge(self, names: list[str]) -> None:
        rules = [
            (len(names) > 1, "Bulk queries must select a single top level field."),
            (
                bool({"node", "nodes"} & set(names)),
                "Bulk queries cannot contain a top level `node` field.",
            ),
            (
                bool(self.with_nodes),
                "All connection fields in a bulk query must select their contents using 'edges' > "
                "'node', e.g: 'orders { edges { node {'. Selecting via 'nodes' is not supported. "
                f"Invalid connection fields: '{', '.join(self.with_nodes)}'.",
            ),
            (
                self.deepest > DEEPEST,
                "Bulk queries cannot contain connections with a nesting depth greater than 2.",
            ),
            (
                self.connections > MOST_CONNECTIONS,
                "Bulk queries cannot contain more than 5 connections.",
            ),
            (
                bool(self.without_id),
                "The parent 'node' field for a nested connection must select the 'id' field "
                "without an alias and must be of 'ID' return type. Connection fields without 'id': "
                f"{', '.join(self.without_id)}.",
            ),
            (
                self.in_list,
                "Queries that contain a connection field within a list field are not currently "
                "supported.",
            ),
            (self.connections == 0, "Bulk queries must contain at least one connection."),
        ]
        self.errors = [message for broken, message in rules if broken]

    def _field(self, parent: Any, node: FieldNode, depth: int, *, inside_list: bool) -> None:
        if node.selection_set is None or node.name.value not in parent.fields:
            return
        kind = parent.fields[node.name.value].type
        named: Any = get_named_type(kind)
        inside_list = inside_list or is_list_type(get_nullable_type(kind))
        if named.name.endswith("Connection"):
            self._connection(named, node, depth + 1, inside_list=inside_list)
            return
        for child in self._fields(node.selection_set):
            self._field(named, child, depth, inside_list=inside_list)

    def _connection(self, kind: Any, node: FieldNode, depth: int, *, inside_list: bool) -> None:
        assert node.selection_set is not None  # noqa: S101 - of the caller
        self.connections += 1
        self.deepest = max(self.deepest, depth)
        self.in_list |= inside_list
        if any(child.name.value == "nodes" for child in self._fields(node.selection_set)):
            self.with_nodes.append(node.name.value)
        item: Any = get_named_type(kind.fields["nodes"].type)
        before = self.connections
        selected = list(self._of_nodes(node.selection_set))
        for child in selected:
            self._field(item, child, depth, inside_list=False)
        has_id = any(child.name.value == "id" and child.alias is None for child in selected)
        if self.connections > before and not has_id:
            self.without_id.append(node.name.value)

    def _of_nodes(self, selections: SelectionSetNode) -> Iterator[FieldNode]:
        """What a connection selects of its nodes, by either way."""
        for child in self._fields(selections):
            if child.selection_set is None:
                continue
            if child.name.value == "nodes":
                yield from self._fields(child.selection_set)
            elif child.name.value == "edges":
                for inner in self._fields(child.selection_set):
                    if inner.name.value == "node" and inner.selection_set is not None:
                        yield from self._fields(inner.selection_set)

    def _fields(self, selections: SelectionSetNode) -> Iterator[FieldNode]:
        """The fields selected, fragments opened."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.prepared.fragments[node.name.value]
                yield from self._fields(fragment.selection_set)
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set)
