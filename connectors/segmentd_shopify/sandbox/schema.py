"""Checking requests against the official schema, with answers as the real API words them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    build_schema,
    get_variable_values,
    parse,
    print_ast,
    validate,
)
from graphql.execution.values import VariableValues

VERSIONS = ("2026-07", "2026-10")
"""The API versions that this shop serves, oldest first."""

Error = dict[str, Any]
"""One entry of ``errors``."""

_CODES = {
    "Cannot query field": "undefinedField",
    "Unknown argument": "argumentNotAccepted",
    "Unknown type": "undefinedType",
    "Variable": "variableMismatch",
}


class Refused(Exception):  # noqa: N818 - an answer of the API, not a fault of the program
    """The request fails as a whole; ``errors`` is what the client sees."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


@dataclass(frozen=True)
class Prepared:
    """A document that passed validation."""

    version: str
    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]

    @property
    def is_mutation(self) -> bool:
        """Whether it changes state."""
        return self.operation.operation is OperationType.MUTATION

    @property
    def roots(self) -> set[str]:
        """Names of the fields at the root, those in fragments left out."""
        selections = self.operation.selection_set.selections
        return {node.name.value for node in selections if isinstance(node, FieldNode)}

    def variables(self, given: dict[str, Any]) -> VariableValues:
        """The coerced variables; Refused with INVALID_VARIABLE where the real API says so."""
        definitions = self.operation.variable_definitions or ()
        coerced = get_variable_values(self.schema, definitions, given)
        if isinstance(coerced, list):
            raise Refused([_variable_error(error, given) for error in coerced])
        for definition in definitions:
            _check_global_ids(definition, coerced.coerced.get(definition.variable.name.value))
        return coerced


@cache
def schema(version: str) -> GraphQLSchema:
    """The schema of one of ``VERSIONS``."""
    path = Path(__file__).with_name(f"admin-subset-{version}.graphql")
    # the official schema marks fields deprecated that an interface has undeprecated, which
    # graphql-core's own check of schemas refuses
    return build_schema(path.read_text(encoding="utf-8"), assume_valid=True)


@lru_cache(maxsize=512)
def prepare(text: str, version: str, operation_name: str | None = None) -> Prepared:
    """Parse and validate ``text``; raises Refused with the errors of the real API."""
    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        raise Refused([_error(error, "PARSE_ERROR")]) from error
    errors = validate(schema(version), document)
    if errors:
        raise Refused([_validation_error(error, document) for error in errors])
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    return Prepared(version, schema(version), _choose(document, operation_name), fragments)


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name is not None and node.name.value == name))
    ]
    if len(operations) != 1:
        raise Refused(
            [
                {
                    "message": f"No operation named {name!r}"
                    if name
                    else "An operation name is required"
                }
            ]
        )
    return operations[0]


def _error(error: GraphQLError, code: str, **extensions: Any) -> Error:
    return {
        "message": error.message,
        "locations": [
            {"line": place.line, "column": place.column} for place in error.locations or ()
        ],
        "extensions": {"code": code, **extensions},
    }


def _validation_error(error: GraphQLError, document: DocumentNode) -> Error:
    answer = _error(error, _code(error.message))
    node = error.nodes[0] if error.nodes else None
    if node is not None:
        answer["path"] = next((path for path, seen in _walk(document) if seen is node), [])
    if answer["extensions"]["code"] == "undefinedField" and isinstance(node, FieldNode):
        name = node.name.value
        type_name = error.message.split("on type '")[1].split("'")[0]
        answer["message"] = f"Field '{name}' doesn't exist on type '{type_name}'"
        answer["extensions"].update(typeName=type_name, fieldName=name)
    return answer


def _code(message: str) -> str:
    if "selection" in message:
        return "selectionMismatch"
    if "is required, but it was not provided" in message:
        return "missingRequiredArguments"
    return next(
        (code for words, code in _CODES.items() if message.startswith(words)), "graphqlInvalid"
    )


def _walk(document: DocumentNode) -> Iterator[tuple[list[str], Node]]:
    """Every field with its path in the words of the API: ``["query Name", "customers", …]``."""
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            name = f" {definition.name.value}" if definition.name else ""
            head = f"{definition.operation.value}{name}"
        elif isinstance(definition, FragmentDefinitionNode):
            head = f"fragment {definition.name.value}"
        else:
            continue
        yield from _walk_selections(definition.selection_set, [head])


def _walk_selections(
    selections: SelectionSetNode, path: list[str]
) -> Iterator[tuple[list[str], Node]]:
    for node in selections.selections:
        if isinstance(node, FragmentSpreadNode):
            continue
        here = path
        if isinstance(node, FieldNode):
            here = [*path, node.alias.value if node.alias else node.name.value]
        yield here, node
        inner = getattr(node, "selection_set", None)
        if inner is not None:
            yield from _walk_selections(inner, here)


def _variable_error(error: GraphQLError, given: Mapping[str, Any]) -> Error:
    node = error.nodes[0] if error.nodes else None
    if not isinstance(node, VariableDefinitionNode):
        return _error(error, "INVALID_VARIABLE", value=None, problems=[])
    return _invalid_variable(node, given.get(node.variable.name.value), error.message)


def _invalid_variable(node: VariableDefinitionNode, value: Any, explanation: str) -> Error:
    message = (
        f"Variable ${node.variable.name.value} of type {print_ast(node.type)} "
        "was provided invalid value"
    )
    problem = {"path": [], "explanation": explanation, "message": explanation}
    error = GraphQLError(message, node)
    return _error(error, "INVALID_VARIABLE", value=value, problems=[problem])


def _check_global_ids(node: VariableDefinitionNode, value: Any) -> None:
    if print_ast(node.type).strip("[]!") != "ID" or value is None:
        return
    for text in value if isinstance(value, list) else [value]:
        if not text.startswith("gid://shopify/"):
            raise Refused([_invalid_variable(node, value, f"Invalid global id '{text}'")])
