"""The static cost of a request, as Shopify charges it before running it.

The model was fitted on 5,480 recorded pairs of operation and ``requestedQueryCost``: exact for 96 %
of those that use the roots served here. Scalars are free; an object or list of objects is 1; a
connection of n rows is 2 + f(n) * (1 + its node), f(n) = max(1, ⌊2 ln n⌋); a mutation is 10; a
``…Count`` is 10. https://shopify.dev/docs/api/usage/limits#graphql-admin-api-rate-limits
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from segmentd_shopify.sandbox.schema import Prepared

MAXIMUM = 1000
"""Points that a single request may cost."""

_FREE = frozenset(
    {
        "MoneyV2",
        "MoneyBag",
        "MailingAddress",
        "CustomerEmailMarketingConsentState",
        "CustomerSmsMarketingConsentState",
    }
)
Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


def rows_factor(rows: int) -> int:
    """f(n): how the cost of a connection grows with its rows."""
    return max(1, math.floor(2 * math.log(rows))) if rows > 0 else 0


def requested_cost(prepared: Prepared, variables: VariableValues) -> int:
    """Points that the bucket must hold before the request runs."""
    return _Model(prepared, variables).total()


def cost_of_rows(prepared: Prepared, variables: VariableValues, rows: dict[str, int]) -> int:
    """Points really charged: as requested, but by the ``rows`` returned per connection at the root.

    Shopify's own formula is not published; what was recorded never exceeds the requested cost.
    """
    return _Model(prepared, variables, rows).total()


class _Model:
    def __init__(
        self, prepared: Prepared, variables: VariableValues, rows: dict[str, int] | None = None
    ) -> None:
        self._prepared = prepared
        self._schema: GraphQLSchema = prepared.schema
        self._variables = variables
        self._rows = rows or {}

    def total(self) -> int:
        root = self._schema.get_root_type(self._prepared.operation.operation)
        assert root is not None  # noqa: S101 - validated before
        cost = 0
        for kind, field in self._fields(root, self._prepared.operation.selection_set):
            if self._prepared.is_mutation:
                cost += 10 + self._payload(kind, field)
            else:
                cost += self._field(kind, field, self._rows.get(response_key(field)))
        return cost

    def _payload(self, root: Composite, field: FieldNode) -> int:
        """What lies below a mutation's payload; its objects of the first level are free."""
        payload = _type_of(root, field)
        if not isinstance(payload, GraphQLObjectType) or field.selection_set is None:
            return 0
        return sum(
            self._children(inner, child.selection_set)
            for kind, child in self._fields(payload, field.selection_set)
            if child.selection_set is not None and is_composite_type(inner := _type_of(kind, child))
        )

    def _field(self, parent: Composite, field: FieldNode, rows: int | None = None) -> int:
        kind = _type_of(parent, field)
        if not is_composite_type(kind) or field.selection_set is None:
            return 0
        if kind.name == "Count":
            return 10
        if kind.name.endswith("Connection"):
            return self._connection(parent, kind, field, rows)
        own = 0 if kind.name in _FREE else 1
        return own + self._children(kind, field.selection_set)

    def _connection(
        self, parent: Composite, kind: Composite, field: FieldNode, rows: int | None
    ) -> int:
        if rows is None:
            rows = self._asked_rows(parent, field)
        cost = 2
        assert field.selection_set is not None  # noqa: S101 - a composite field has a selection
        for _, child in self._fields(kind, field.selection_set):
            inner = _type_of(kind, child)
            if child.selection_set is None or not is_composite_type(inner):
                continue
            if child.name.value == "nodes":
                cost += rows_factor(rows) * (1 + self._children(inner, child.selection_set))
            elif child.name.value == "edges":
                node = self._node_of_edges(inner, child.selection_set)
                cost += rows_factor(rows) * (1 + node)
        return cost

    def _node_of_edges(self, edge: Composite, selections: SelectionSetNode) -> int:
        return sum(
            self._children(inner, child.selection_set)
            for kind, child in self._fields(edge, selections)
            if child.selection_set is not None and is_composite_type(inner := _type_of(kind, child))
        )

    def _asked_rows(self, parent: Composite, field: FieldNode) -> int:
        assert not isinstance(parent, GraphQLUnionType)  # noqa: S101 - unions have no fields
        given = get_argument_values(parent.fields[field.name.value], field, self._variables)
        return int(given.get("first") or given.get("last") or 0)

    def _children(self, kind: Composite, selections: SelectionSetNode) -> int:
        """The fields of an object; of an interface the common ones and the dearest branch."""
        common, branches = 0, [0]
        for node in selections.selections:
            if isinstance(node, FieldNode):
                common += self._field(kind, node)
                continue
            inner, inside = self._condition(kind, node)
            if is_abstract_type(kind):
                branches.append(self._children(inner, inside))
            else:
                common += self._children(inner, inside)
        return common + max(branches)

    def _fields(
        self, kind: Composite, selections: SelectionSetNode
    ) -> Iterator[tuple[Composite, FieldNode]]:
        """The fields selected, fragments opened, each with the type that it stands on."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield kind, node
            else:
                yield from self._fields(*self._condition(kind, node))

    def _condition(self, kind: Composite, node: Any) -> tuple[Composite, SelectionSetNode]:
        if isinstance(node, FragmentSpreadNode):
            node = self._prepared.fragments[node.name.value]
        condition = node.type_condition
        if isinstance(node, InlineFragmentNode) and condition is None:
            return kind, node.selection_set
        inner = self._schema.get_type(condition.name.value)
        assert is_composite_type(inner)  # noqa: S101 - validated before
        return inner, node.selection_set


def response_key(field: FieldNode) -> str:
    """The name under which a field's value is answered."""
    return field.alias.value if field.alias else field.name.value


def _type_of(parent: Composite, field: FieldNode) -> Any:
    """The named type of a field's value, None for ``__typename``."""
    if isinstance(parent, GraphQLUnionType) or field.name.value not in parent.fields:
        return None
    kind: GraphQLOutputType = parent.fields[field.name.value].type
    return get_named_type(kind)
