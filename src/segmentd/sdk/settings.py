"""Typed settings of a connector: one TOML table each, unknown keys refused, secrets by reference.

A connector derives its own class. Secrets are never values in the file: a key ``token`` is
declared as the two fields ``token_env`` and ``token_file``, and read with ``secret("token")``.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict

from segmentd.domain.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def parse_duration(value: object) -> timedelta:
    """``"90s"``, ``"2m"``, ``"1h"``, ``"1d"``, ``"500ms"``; raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is no duration; write for example 30s, 2m, 1h or 1d")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Secret:
    """A secret value that shows itself only by ``reveal()``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for a request header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


class ConnectorSettings(BaseModel):
    """Base of every connector's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    """Another endpoint than the platform's own (sandbox, proxy)."""
    allow_insecure_http: bool = False
    """Plain http to hosts other than loopback; the secrets then travel in the open."""

    def secret(self, key: str) -> Secret:
        """The secret ``key``, from the environment variable or file that the settings name.

        Raises ConfigError, naming the key and the variable or file, if it is missing or empty.
        """
        value, origin = self._secret_text(key)
        value = value.strip()
        if not value or not value.isprintable() or not value.isascii():
            raise ConfigError(
                f"{origin}, named by {key}_env or {key}_file, is empty or holds unusable characters"
            )
        return Secret(value)

    def has_secret(self, key: str) -> bool:
        """Whether the settings name a place for the secret ``key``."""
        return bool(getattr(self, f"{key}_env", None) or getattr(self, f"{key}_file", None))

    def check_secrets(self) -> list[str]:
        """The keys of all secrets that the settings name a place for; errors as for ``secret``."""
        given = [key for key, value in self if value is not None]
        keys = sorted({key.rpartition("_")[0] for key in given if key.endswith(("_env", "_file"))})
        for key in keys:
            self.secret(key)
        return keys

    def _secret_text(self, key: str) -> tuple[str, str]:
        variable: str | None = getattr(self, f"{key}_env", None)
        path: Path | None = getattr(self, f"{key}_file", None)
        if variable:
            if variable not in os.environ:
                raise ConfigError(
                    f"environment variable {variable}, named by {key}_env, is not set"
                )
            return os.environ[variable], f"environment variable {variable}"
        if path:
            try:
                return path.read_text(encoding="utf-8"), f"file {path}"
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise ConfigError(f"cannot read {path}, named by {key}_file: {why}") from error
            except UnicodeDecodeError as error:
                raise ConfigError(f"{path}, named by {key}_file, is no UTF-8 text") from error
        raise ConfigError(f"{key}_env is missing: name the environment variable with the secret")

    def endpoint(self, default: str) -> str:
        """``base_url`` or ``default`` without a trailing slash; plain http only where allowed."""
        url = (self.base_url or default).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"{url!r} is no web address; it begins with https://")
        if (
            parts.scheme == "http"
            and parts.hostname not in _LOOPBACK
            and not self.allow_insecure_http
        ):
            raise ConfigError(
                f"{url} is plain http: secrets would travel in the open; use https, "
                "or set allow_insecure_http = true if you know that the path is safe"
            )
        return url
