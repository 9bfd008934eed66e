"""Which facts the configured sources fill."""

from __future__ import annotations

from segmentd.bootstrap import filled
from segmentd.config import Config
from segmentd.domain.errors import ConfigError
from segmentd.segmenter.demands import facts, is_filled
from segmentd.segmenter.language import Expression


def unfilled(config: Config, rule: Expression) -> list[str]:
    """What a rule asks for that no source fills; nothing as long as there is no source."""
    known = filled(config)
    return sorted({n for n in facts(rule) if not is_filled(n, known)}) if config.sources else []


def check_filled(config: Config, rule: Expression) -> None:
    """ConfigError for a rule that asks for what no source fills: it could not select anybody."""
    names = unfilled(config, rule)
    if names:
        raise ConfigError(f"the rule asks for {', '.join(names)}, which no source fills")
