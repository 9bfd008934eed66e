"""The store: everything that is kept, on SQLite or PostgreSQL.

``open_store`` gives a ``Store``, which fulfils every port of ``segmentd.pipeline.ports`` and
answers the questions of the command line. Imported late: it costs what sqlmodel costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentd.store.store import Store, open_store

__all__ = ["Store", "open_store"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from segmentd.store import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
