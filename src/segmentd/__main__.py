"""``python -m segmentd``, and the console script ``segmentd``."""

from __future__ import annotations

from segmentd.cli.main import main

if __name__ == "__main__":
    main()
