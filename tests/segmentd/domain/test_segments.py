from __future__ import annotations

from dataclasses import replace

from segmentd.domain.segments import PushTo, Segment

VIP = Segment("vip", "VIP", "amount_spent > 500", (PushTo("tags", "VIP"),))


def test_the_version_follows_the_rule_and_nothing_else() -> None:
    assert replace(VIP, title="Best", push=()).version == VIP.version
    assert replace(VIP, where="amount_spent > 501").version != VIP.version
    assert replace(VIP, where="amount_spent  > 500").version != VIP.version
