"""Which facts the configured sources fill."""

from __future__ import annotations

from segmentd import plugins
from segmentd.config import Config
from segmentd.segmenter.demands import facts, is_filled
from segmentd.segmenter.language import Expression


def unfilled(config: Config, rule: Expression) -> list[str]:
    """What a rule asks for that no source fills; nothing as long as there is no source."""
    if not config.sources:
        return []
    filled: frozenset[str] = frozenset().union(
        *(plugins.source(connector.connector).fields for connector in config.sources.values())
    )
    return sorted({name for name in facts(rule) if not is_filled(name, filled)})
