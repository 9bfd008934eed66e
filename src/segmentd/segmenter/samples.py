"""Stable parts of all customers: the same people again for the same salt."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.language import Sample
from segmentd.segmenter.predicates import Bools

Hashes = npt.NDArray[np.uint64]

_BYTES = 8
_ALL = 1 << 8 * _BYTES
_STEPS = 10_000
"""Percents have two decimals."""


class Samples:
    """Everybody of a partition has a number of 0 to 2**64 for each salt, the BLAKE2b hash of
    ``salt NUL source:customer_id``; the parts of a split share their salt: A, B and the rest hash
    everybody once."""

    def __init__(self, profiles: pd.DataFrame) -> None:
        self._profiles = profiles
        self._hashed: dict[str, Hashes] = {}

    def sampled(self, sample: Sample) -> Bools:
        """Who is in the part from ``low`` up to, not including, ``high`` percent."""
        hashes = self._hashes(sample.salt)
        low, high = _cut(sample.low), _cut(sample.high)
        # 2**64 itself has no place in an array of this type
        return (hashes >= np.uint64(low)) & (hashes <= np.uint64(high - 1))

    def percent(self, salt: str, position: int) -> Decimal:
        """The least ``high`` of a part from 0 on that holds the profile at this position."""
        return Decimal(int(self._hashes(salt)[position]) * _STEPS // _ALL + 1) / 100

    def _hashes(self, salt: str) -> Hashes:
        if salt not in self._hashed:
            self._hashed[salt] = _hash(salt, self._profiles)
        return self._hashed[salt]


def _cut(percent: Decimal) -> int:
    """The least number that is not below so many percent, in steps of 0.01, of all."""
    return -(-int(percent * 100) * _ALL // _STEPS)


def _hash(salt: str, profiles: pd.DataFrame) -> Hashes:
    salted = hashlib.blake2b(salt.encode() + b"\0", digest_size=_BYTES)
    digests = []
    identities = zip(profiles["source"].tolist(), profiles["customer_id"].tolist(), strict=True)
    for source, customer_id in identities:
        hashed = salted.copy()
        hashed.update(f"{source}:{customer_id}".encode())
        digests.append(hashed.digest())
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
