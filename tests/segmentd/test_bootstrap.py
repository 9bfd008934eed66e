"""What a verb refuses before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentd.bootstrap import check_rules, open_app
from segmentd.config import load_config
from segmentd.domain.errors import ConfigError
from segmentd.domain.records import Customer
from segmentd.sdk.testing.memory import MemoryShop, registered


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("number_of_oders = 0", "unknown field 'number_of_oders'"),
        ("abandoned_checkout_date >= -30d", "asks for abandoned_checkout_date, which no source"),
        (
            "orders_placed MATCHES (location_id = 1)",
            r"asks for orders_placed\.location_id, which no",
        ),
        ("segment('y')", "there is no segment 'y'"),
        ("amount_spent > $much", r"there is no variable \$much"),
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


def test_what_is_said_beside_a_rule_is_checked_too(tmp_path: Path) -> None:
    config = tmp_path / "segmentd.toml"
    config.write_text(
        '[store]\nurl = "sqlite:///s.db"\n[sources.shop]\nconnector = "memory"\nshop = "here"\n'
        '[segments.x]\nwhere = "number_of_orders > 1"\nstays = "rfm_group = \'LOYAL\'"\n'
    )
    with pytest.raises(ConfigError, match=r"^\[segments\.x\] asks for rfm_group, which no source"):
        check_rules(load_config(config))


def test_a_metafield_is_filled_if_the_source_is_told_to_read_it(tmp_path: Path) -> None:
    config = tmp_path / "segmentd.toml"
    text = (
        '[sources.shop]\nconnector = "shopify"\nshop = "a.myshopify.com"\ntoken_env = "T"\n'
        'metafields = ["facts.size"]\n'
        '[segments.x]\nwhere = "metafields.facts.birth_date IS NOT NULL"\n'
    )
    config.write_text(text)
    with pytest.raises(ConfigError, match=r'no source fills; add "facts.birth_date" to metafields'):
        check_rules(load_config(config))
    config.write_text(text.replace("facts.size", "facts.birth_date"))
    check_rules(load_config(config))
