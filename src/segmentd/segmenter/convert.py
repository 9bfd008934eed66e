"""A segment query pasted from the Shopify admin, in the one spelling that we use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from segmentd.segmenter.language import Events, Expression, rewrite
from segmentd.segmenter.parser import parse
from segmentd.segmenter.spelling import quoted, text

_LISTED = re.compile(r"\s*(?:SHOW|FROM)\b[^']*?\bWHERE\b", re.IGNORECASE)
_ARRANGED = re.compile(r"\b(?:ORDER\s+BY|LIMIT)\b[^']*$", re.IGNORECASE)
_QUOTED = re.compile(
    r"'(?:\\.|[^'\\])*'"  # a text as we write it
    r"|[\"\u201c\u201d\u201e]([^\"\u201c\u201d]*)[\"\u201c\u201d]"  # as documents set them
    r"|[\u2018\u2019\u201a]([^\u2018\u2019']*)[\u2018\u2019]",
    re.DOTALL,
)
_AGO = re.compile(r"\b\d+_(?:days|weeks|months|years)_ago\b", re.IGNORECASE)
_OLD_CALL = re.compile(r"\b([a-z_]+)\s*\(\s*[a-z_]+\s*:", re.IGNORECASE)
_OLD_NAME = "storefront_event."
_NAME = "storefront."


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a pasted query says here."""

    rule: Expression
    text: str
    """The rule in its canonical spelling."""
    notes: tuple[str, ...]
    """What was written differently, one sentence each."""


def convert(query: str) -> Conversion:
    """Read a query as it is pasted. RuleError with the line and column of what is no rule."""
    requoted = _QUOTED.sub(_requoted, query)
    bare = _arranged_away(_listed_away(requoted))
    rule = rewrite(parse(bare), _renamed)
    return Conversion(rule, text(rule), tuple(_notes(query, requoted, bare)))


def _requoted(found: re.Match[str]) -> str:
    inner = found[1] if found[1] is not None else found[2]
    return found[0] if inner is None else quoted(inner)


def _listed_away(query: str) -> str:
    """Without the columns of the list in front of WHERE; lines and columns stay."""
    found = _LISTED.match(query)
    return _blank(found[0]) + query[found.end() :] if found else query


def _arranged_away(query: str) -> str:
    found = _ARRANGED.search(query)
    return query[: found.start()] if found else query


def _blank(words: str) -> str:
    return re.sub(r"\S", " ", words)


def _renamed(node: Any) -> Events | None:
    """Older names of functions by their new ones."""
    if isinstance(node, Events) and node.function.startswith(_OLD_NAME):
        new = node.function.replace(_OLD_NAME, _NAME, 1)
        # what stands inside holds no further function
        return replace(node, function=new)
    return None


def _notes(query: str, requoted: str, bare: str) -> Iterator[str]:
    if requoted != query:
        yield "texts stand in straight single quotes"
    if bare != requoted:
        yield "only the condition behind WHERE makes a segment: columns and order were left out"
    code = _QUOTED.sub("''", bare)
    for word in dict.fromkeys(_AGO.findall(code)):
        yield f"{word} is the older spelling of {_offset(word)}"
    for function in dict.fromkeys(_OLD_CALL.findall(code)):
        yield f"{function}(… : …) = true is the older form of {function} MATCHES (…)"
    if _OLD_NAME in code:
        yield f"{_OLD_NAME}… is the older name of {_NAME}…"
    if "<>" in code:
        yield "<> is written !="


def _offset(word: str) -> str:
    amount, unit, _ = word.split("_")
    return f"-{amount}{unit[0].lower()}"
