"""Stable parts of all customers: the same people again for the same salt."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from segmentd.segmenter.facts import Facts
from segmentd.segmenter.language import Sample
from segmentd.segmenter.predicates import Bools

Hashes = npt.NDArray[np.uint64]

_BYTES = 8
_ALL = 1 << 8 * _BYTES
_HASHED: WeakKeyDictionary[Facts, dict[str, Hashes]] = WeakKeyDictionary()
"""The parts of a split share their salt: A, B and the rest hash everybody once."""


def sampled(sample: Sample, facts: Facts) -> Bools:
    """Who is in the part from ``low`` up to, not including, ``high`` percent.

    Everybody has a number of 0 to 2**64, the BLAKE2b hash of ``salt NUL source:customer_id``.
    """
    known = _HASHED.setdefault(facts, {})
    if sample.salt not in known:
        known[sample.salt] = _hashes(sample.salt, facts)
    hashes = known[sample.salt]
    low, high = _cut(sample.low), _cut(sample.high)
    # 2**64 itself has no place in an array of this type
    return (hashes >= np.uint64(low)) & (hashes <= np.uint64(high - 1))


def _cut(percent: Decimal) -> int:
    """The least number that is not below so many percent, in steps of 0.01, of all."""
    return -(-int(percent * 100) * _ALL // 10_000)


def _hashes(salt: str, facts: Facts) -> Hashes:
    profiles = facts.frames.profiles
    salted = hashlib.blake2b(salt.encode() + b"\0", digest_size=_BYTES)
    digests = []
    identities = zip(profiles["source"].tolist(), profiles["customer_id"].tolist(), strict=True)
    for source, customer_id in identities:
        hashed = salted.copy()
        hashed.update(f"{source}:{customer_id}".encode())
        digests.append(hashed.digest())
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
