"""When two records are the same person."""

from __future__ import annotations

import unicodedata


def email_key(email: str | None) -> str | None:
    """The form in which e-mail addresses are compared: trimmed, NFC, lower case.

    Dots and plus tags stay: providers differ on them, and a wrong merge gives one person's
    discounts to another. None for anything that is no address.
    """
    if email is None:
        return None
    lowered = unicodedata.normalize("NFC", email.strip()).lower()
    # lowering takes some Greek letters apart again
    key = unicodedata.normalize("NFC", lowered)
    local, at, host = key.rpartition("@")
    return key if at and local and host and " " not in key else None


def tag_key(tag: str) -> str:
    """The form in which tags are compared: shops ignore case and outer blanks."""
    return tag.strip().casefold()
