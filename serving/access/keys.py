"""Who may ask: clients' keys, hashed, from a secret file. Knows no HTTP.

A key is 256 random bits, so one round of SHA-256 hides it: nobody can try them all, as they could passwords. The file
is TOML, a table per client:

    [alice]
    sha256 = "…"
    requests_per_minute = 60
    tokens_per_minute = 20000
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PREFIX = "sk-"
MAX_KEY_CHARS = 256
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class KeysError(ValueError):
    """The file cannot be used; the message says what is wrong with it, and holds none of its digests."""


class Entry(BaseModel):
    """A client in the file. Quotas of its own win over the server's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    requests_per_minute: int | None = Field(default=None, ge=0)
    tokens_per_minute: int | None = Field(default=None, ge=0)


@dataclass(frozen=True, slots=True)
class Client:
    """Whose key it is."""

    name: str
    entry: Entry


class Keys:
    """Those of one file."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Raises `KeysError`."""
        try:
            table = tomllib.loads(path.read_text())
            entries = TypeAdapter(dict[Name, Entry]).validate_python(table)
        except (OSError, UnicodeDecodeError) as error:
            raise KeysError(f"KEYS_FILE {str(path)!r} cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise KeysError(f"KEYS_FILE {str(path)!r} is not TOML: {error}") from None
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise KeysError(f"KEYS_FILE {str(path)!r}: {where}: {error.errors()[0]['msg']}") from None
        if not entries:
            raise KeysError(f"KEYS_FILE {str(path)!r} has no clients; `python -m serving key NAME` makes an entry")
        digests = [entry.sha256 for entry in entries.values()]
        if len(set(digests)) < len(digests):
            raise KeysError(f"KEYS_FILE {str(path)!r}: two clients have the same key")
        return cls([Client(name, entry) for name, entry in entries.items()])

    def owner(self, key: str) -> Client | None:
        """Whose key that is. Compares with every client's, each in constant time, so that time tells nothing."""
        digest = digest_of(key[:MAX_KEY_CHARS])
        found = None
        for client in self._clients:
            if hmac.compare_digest(client.entry.sha256, digest):
                found = client
        return found


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_entry(name: str) -> tuple[str, str]:
    """A new key, and its client's table for the file. Raises `KeysError`."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise KeysError(f"a client's name has letters, digits, dots, dashes, at most 64, got {name!r}") from None
    key = PREFIX + secrets.token_urlsafe(32)
    return key, f'["{name}"]\nsha256 = "{digest_of(key)}"\n'
