"""Sessions: a signed cookie that stands for a token, so that the token itself is typed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from review_ui.access.tokens import StoredToken, TokenStore

SESSION_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Sessions:
    """Begins and checks sessions. secure: the cookie travels over TLS only."""

    tokens: TokenStore
    secure: bool

    @property
    def cookie(self) -> str:
        """The cookie's name; over TLS one that no other host or plain page can set."""
        return "__Host-teleloom-review" if self.secure else "teleloom-review"

    def begin(self, token: StoredToken) -> str:
        """The cookie's value for whoever showed `token`: it names the token's hash and the time, signed."""
        return str(self._serializer().dumps(token.hash))

    def holder(self, cookies: Mapping[str, str]) -> StoredToken | None:
        """Whose session these cookies carry; None once it has expired or its token was revoked."""
        value = cookies.get(self.cookie)
        if not value:
            return None
        try:
            digest = self._serializer().loads(value, max_age=SESSION_S)
        except BadData:
            return None
        return self.tokens.by_hash(digest) if isinstance(digest, str) else None

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.tokens.session_key(), salt="teleloom.review.session")
