"""Tokens: who may sign in, each with a secret of which only the hash is kept.

A token is 32 random bytes, so a plain SHA-256 of it cannot be searched; a slow hash is for what people make up.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from review_ui.access.errors import AccessError
from review_ui.service.roles import Role
from teleloom.catalog.annotations import Name
from teleloom.config import Config, describe
from teleloom.files import atomic_writer, dumps_json

FILE_NAME = "review-access.json"
TOKEN_BYTES = 32


class StoredToken(Config):
    """Who a token signs in. hash: SHA-256 of the token, hex. created_wall_ns: ns since the Unix epoch."""

    name: Name
    role: Role
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created_wall_ns: int


class _AccessFile(Config):
    version: Literal[1] = 1
    session_key: Annotated[str, Field(min_length=32)] = Field(default_factory=lambda: secrets.token_hex(TOKEN_BYTES))
    tokens: tuple[StoredToken, ...] = ()


class TokenStore:
    """The tokens of one root folder, in `review-access.json`, which only its owner may read.

    Every look sees the file as it is now, so a token revoked by another process is refused at once.
    """

    def __init__(self, root: Path, now: Callable[[], int] = time.time_ns) -> None:
        self.path = root / FILE_NAME
        self._now = now
        self._read: tuple[tuple[int, int, int], _AccessFile] | None = None

    def add(self, name: str, role: Role) -> str:
        """Make a token for `name`; the answer is the only place where it can ever be read.

        Raises AccessError when the name has one already.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        try:
            added = StoredToken(name=name, role=role, hash=_hash(token), created_wall_ns=self._now())
        except ValidationError as error:
            raise AccessError(f"not a person's name and role:\n{describe(error, StoredToken)}") from None
        with self._locked():
            content = self._content()
            if any(known.name == added.name for known in content.tokens):
                raise AccessError(f"'{added.name}' has a token already; `teleloom review token revoke` ends it first")
            self._write(content.model_copy(update={"tokens": (*content.tokens, added)}))
        return token

    def revoke(self, name: str) -> None:
        """End the token of `name` and every session it began. Raises AccessError when there is none."""
        with self._locked():
            content = self._content()
            kept = tuple(known for known in content.tokens if known.name != name)
            if len(kept) == len(content.tokens):
                names = ", ".join(known.name for known in content.tokens) or "nobody"
                raise AccessError(f"'{name}' has no token; {names} has")
            self._write(content.model_copy(update={"tokens": kept}))

    def tokens(self) -> tuple[StoredToken, ...]:
        """The tokens that hold now, in the order they were made. Raises AccessError for a file it cannot use."""
        return self._content().tokens

    def find(self, token: str) -> StoredToken | None:
        """Whose token this is, in a time that does not tell how near a guess was."""
        return self.by_hash(_hash(token))

    def by_hash(self, digest: str) -> StoredToken | None:
        """The token with this hash."""
        matches = [known for known in self.tokens() if hmac.compare_digest(known.hash, digest)]
        return matches[0] if matches else None

    def session_key(self) -> str:
        """The key that signs sessions; made at the first question, so that sessions outlive the server."""
        if not self.path.exists():
            with self._locked():
                self._write(self._content())
        return self._content().session_key

    def _content(self) -> _AccessFile:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return _AccessFile()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._read is None or self._read[0] != stamp:
            if found.st_mode & 0o077:
                raise AccessError(f"{self.path} may be read by others; run: chmod 600 {self.path}")
            self._read = (stamp, self._parse())
        return self._read[1]

    def _parse(self) -> _AccessFile:
        try:
            return _AccessFile.model_validate_json(self.path.read_bytes())
        except OSError as error:
            raise AccessError(f"cannot read {self.path}: {error.strerror}") from None
        except ValidationError as error:
            raise AccessError(f"{self.path} is damaged:\n{describe(error, _AccessFile)}") from None

    def _write(self, content: _AccessFile) -> None:
        with atomic_writer(self.path) as temporary:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(dumps_json(content.model_dump(mode="json")))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the processes that change this file."""
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
