"""What a verb refuses before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.domain.errors import ConfigError
from segmentd.domain.records import Customer
from segmentd.sdk.testing.memory import MemoryShop, registered


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("number_of_oders = 0", "unknown field 'number_of_oders'"),
        ("abandoned_checkout_date >= -30d", "asks for abandoned_checkout_date, which no source"),
    ],
)
def test_a_sync_with_a_wrong_rule_reads_nothing(tmp_path: Path, rule: str, sentence: str) -> None:
    shop = MemoryShop()
    shop.put_customer(Customer(id="1", email="ada@shopper.example"))
    config = tmp_path / "segmentd.toml"
    config.write_text(
        '[store]\nurl = "sqlite:///s.db"\n[sources.shop]\nconnector = "memory"\nshop = "here"\n'
        f'[segments.x]\nwhere = "{rule}"\n'
    )
    app = open_app(load_config(config))
    with registered("here", shop), pytest.raises(ConfigError, match=sentence):
        app.sync()
    assert shop.log == []
    assert app.store.status().counts["customers"] == 0
    app.close()
