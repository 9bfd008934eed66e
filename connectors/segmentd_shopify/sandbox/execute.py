"""Running a validated operation: planned once, then applied to every record.

graphql-core resolves field by field at some 10 µs each, which for a page of 250 orders with their
lines is seconds; the plan below makes one closure per selected field instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    InlineFragmentNode,
    SelectionSetNode,
    get_location,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from segmentd_shopify.sandbox import fields
from segmentd_shopify.sandbox.cost import response_key
from segmentd_shopify.sandbox.roots import ROOTS, Root
from segmentd_shopify.sandbox.schema import Error, Prepared, Refused
from segmentd_shopify.sandbox.search import Unserved
from segmentd_shopify.sandbox.shop import Shop

Project = Callable[[Any], Any]
MOST_ITEMS = 250
"""Items that an input array may have."""

_SCOPES = {
    ("Order", "customer"): "read_customers",
    ("LineItem", "product"): "read_products",
    **{
        ("QueryRoot", f"{name}{suffix}"): f"read_{name}"
        for name in ("customers", "orders", "products")
        for suffix in ("", "Count")
    },
    ("QueryRoot", "order"): "read_orders",
    ("QueryRoot", "customer"): "read_customers",
    ("Mutation", "tagsAdd"): "write_customers",
    ("Mutation", "tagsRemove"): "write_customers",
}


@dataclass
class Answer:
    """What an operation came to."""

    data: dict[str, Any] = field(default_factory=dict)
    errors: list[Error] = field(default_factory=list)
    search: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    """Rows returned per connection at the root."""


def execute(
    shop: Shop,
    prepared: Prepared,
    variables: VariableValues,
    scopes: frozenset[str],
    protected: frozenset[str],
    *,
    every_row: bool = False,
) -> Answer:
    """Run ``prepared`` as an app with ``scopes``.

    ``protected`` names fields (``Customer.firstName``) of protected customer data that the app is
    not approved for. ``every_row``: connections are answered whole, as in a bulk operation. Raises
    Refused for an input array that is too long.
    """
    return _Run(shop, prepared, variables, scopes, protected, every_row).answer()


class _Run:
    def __init__(
        self,
        shop: Shop,
        prepared: Prepared,
        variables: VariableValues,
        scopes: frozenset[str],
        protected: frozenset[str],
        every_row: bool,
    ) -> None:
        self._shop = shop
        self._prepared = prepared
        self._variables = variables
        self._scopes = scopes
        self._protected = protected
        self._every_row = every_row
        self._denied: list[tuple[list[str], Error]] = []
        self._answer = Answer()

    def answer(self) -> Answer:
        kind = self._prepared.schema.get_root_type(self._prepared.operation.operation)
        assert kind is not None  # noqa: S101 - validated before
        selected = self._collect(kind, [self._prepared.operation.selection_set])
        given = {key: self._arguments(kind, nodes[0]) for key, nodes in selected.items()}
        for key, arguments in given.items():
            _check_input_size(selected[key][0], key, arguments)
        for key, nodes in selected.items():
            self._answer.data[key] = self._root(kind, key, nodes, given[key])
        for path, error in self._denied:
            self._answer.errors += [
                {**error, "path": place} for place in _places(self._answer.data, path)
            ]
        return self._answer

    def _root(
        self, kind: GraphQLObjectType, key: str, nodes: list[FieldNode], given: Mapping[str, Any]
    ) -> Any:
        name = nodes[0].name.value
        if name == "__typename":
            return kind.name
        denial = self._denial(kind.name, nodes[0])
        if denial is not None:
            self._answer.errors.append({**denial, "path": [key]})
            return None
        try:
            if name not in ROOTS:
                raise Unserved(f"field {kind.name}.{name}")
            root = Root(self._shop, self._scopes, key, self._answer.search, self._prepared.version)
            value = ROOTS[name](root, given)
            project = self._project(kind.fields[name].type, nodes, [key])
            shown = value if project is None or value is None else project(value)
        except fields.FieldError as error:
            self._answer.errors.append(
                {**_error(nodes[0], error.message, error.code), "path": [key]}
            )
            return None
        if isinstance(value, fields.Rows):
            self._answer.rows[key] = len(value.nodes)
        return shown

    def _project(
        self, kind: GraphQLOutputType, nodes: list[FieldNode], path: list[str]
    ) -> Project | None:
        """How a value of type ``kind`` is shown; None for scalars, which are shown as they are."""
        named = get_named_type(kind)
        if not is_composite_type(named):
            return None
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        if is_abstract_type(named):
            one = self._abstract(selections, path)
        else:
            assert isinstance(named, GraphQLObjectType)  # noqa: S101 - all that is left
            one = self._object(named, selections, path)

        if is_list_type(get_nullable_type(kind)):
            return lambda values: [None if each is None else one(each) for each in values]
        return one

    def _abstract(self, selections: list[SelectionSetNode], path: list[str]) -> Project:
        plans = {
            python: self._object(self._object_type(name), selections, path)
            for python, name in fields.KINDS.items()
        }
        return lambda value: plans[type(value)](value)

    def _object_type(self, name: str) -> GraphQLObjectType:
        kind = self._prepared.schema.get_type(name)
        assert isinstance(kind, GraphQLObjectType)  # noqa: S101 - the schema is ours
        return kind

    def _object(
        self, kind: GraphQLObjectType, selections: list[SelectionSetNode], path: list[str]
    ) -> Project:
        plan = [
            (key, self._resolver(kind, nodes[0], [*path, key]), self._inner(kind, nodes, path, key))
            for key, nodes in self._collect(kind, selections).items()
        ]

        def show(value: Any) -> dict[str, Any]:
            shown = {}
            for key, resolve, project in plan:
                found = resolve(value)
                shown[key] = found if project is None or found is None else project(found)
            return shown

        return show

    def _inner(
        self, kind: GraphQLObjectType, nodes: list[FieldNode], path: list[str], key: str
    ) -> Project | None:
        if nodes[0].name.value == "__typename":
            return None
        return self._project(kind.fields[nodes[0].name.value].type, nodes, [*path, key])

    def _resolver(
        self, kind: GraphQLObjectType, node: FieldNode, path: list[str]
    ) -> fields.Resolver:
        name = node.name.value
        if name == "__typename":
            return lambda _: kind.name
        denial = self._denial(kind.name, node)
        if denial is not None:
            self._denied.append((path, denial))
            return lambda _: None
        if kind.name.endswith("Connection") and name in fields.CONNECTION:
            return fields.CONNECTION[name]
        if kind.name.endswith("Edge") and name in fields.EDGE:
            return fields.EDGE[name]
        return self._field(kind, node)

    def _field(self, kind: GraphQLObjectType, node: FieldNode) -> fields.Resolver:
        name = node.name.value
        with_shop = fields.SHOP_FIELDS.get(kind.name, {}).get(name)
        if with_shop is not None:
            given, shop = self._arguments(kind, node), self._shop
            return lambda value: with_shop(shop, value, given)
        simple = fields.FIELDS.get(kind.name, {}).get(name)
        if kind.name == "Shop":
            simple = self._shop_field(name)
        if simple is None:
            raise Unserved(f"field {kind.name}.{name}")
        return simple

    def _shop_field(self, name: str) -> fields.Resolver | None:
        values = self._shop.about
        return (lambda _: values[name]) if name in values else None

    def _denial(self, kind: str, node: FieldNode) -> Error | None:
        name = node.name.value
        scope = _SCOPES.get((kind, name))
        if scope is not None and scope not in self._scopes:
            required = f"`{scope}` access scope."
            message = f"Access denied for {name} field. Required access: {required}"
            return _error(node, message, "ACCESS_DENIED", requiredAccess=required)
        if f"{kind}.{name}" in self._protected:
            return _error(
                node, f"This app is not approved to use the {name} field.", "ACCESS_DENIED"
            )
        return None

    def _arguments(self, kind: GraphQLObjectType, node: FieldNode) -> dict[str, Any]:
        definition = kind.fields.get(node.name.value)
        if definition is None:
            return {}
        given = get_argument_values(definition, node, self._variables)
        if self._every_row and get_named_type(definition.type).name.endswith("Connection"):
            given |= {"first": fields.EVERY_ROW, "after": None}
        return given

    def _collect(
        self, kind: GraphQLObjectType, selections: list[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        """Response key → the field nodes that ask for it, fragments opened."""
        found: dict[str, list[FieldNode]] = {}
        for selection in selections:
            for node in selection.selections:
                if isinstance(node, FieldNode):
                    found.setdefault(response_key(node), []).append(node)
                    continue
                if isinstance(node, FragmentSpreadNode):
                    fragment: Any = self._prepared.fragments[node.name.value]
                else:
                    fragment = node
                if self._applies(kind, fragment):
                    for key, nodes in self._collect(kind, [fragment.selection_set]).items():
                        found.setdefault(key, []).extend(nodes)
        return found

    def _applies(self, kind: GraphQLObjectType, fragment: Any) -> bool:
        condition = fragment.type_condition
        if isinstance(fragment, InlineFragmentNode) and condition is None:
            return True
        named = self._prepared.schema.get_type(condition.name.value)
        if isinstance(named, GraphQLInterfaceType):
            return named in kind.interfaces
        return named is kind


def _error(node: FieldNode, message: str, code: str, **extensions: Any) -> Error:
    locations = []
    if node.loc is not None:
        place = get_location(node.loc.source, node.loc.start)
        locations.append({"line": place.line, "column": place.column})
    documentation = "https://shopify.dev/api/usage/access-scopes"
    more = {"documentation": documentation} if code == "ACCESS_DENIED" else {}
    return {
        "message": message,
        "locations": locations,
        "extensions": {"code": code, **more, **extensions},
    }


def _check_input_size(node: FieldNode, key: str, given: Any) -> None:
    for name, value in given.items():
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            message = (
                f"The input array size of {len(value)} is greater than the maximum allowed of "
                f"{MOST_ITEMS}."
            )
            raise Refused(
                [{**_error(node, message, "MAX_INPUT_SIZE_EXCEEDED"), "path": [key, name]}]
            )


def _places(value: Any, path: list[str], so_far: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Every place in ``value`` that ``path`` leads to, with the indexes of lists."""
    if isinstance(value, list):
        return [
            place
            for index, each in enumerate(value)
            for place in _places(each, path, (*so_far, index))
        ]
    if not path:
        return [list(so_far)]
    if value is None:
        return []
    return _places(value[path[0]], path[1:], (*so_far, path[0]))
