"""Verifies the ids that Flask-Session and Quart-Session have signed, if configured to. It never signs."""

from __future__ import annotations

try:
    from itsdangerous import BadSignature, Signer
except ModuleNotFoundError as _missing:
    raise ImportError("reading signed ids needs itsdangerous: pip install itsdangerous") from _missing

__all__ = ["SignedIds"]


class SignedIds:
    """The signed ids of one library and secret.

    Args:
        secret_key: the application's secret.
        salt: the library's salt.
    """

    def __init__(self, secret_key: str | bytes, *, salt: str) -> None:
        self._signer = Signer(secret_key, salt=salt, key_derivation="hmac")

    def verified(self, presented: str) -> str | None:
        """The id in a cookie's value; None without a valid signature."""
        try:
            return self._signer.unsign(presented).decode("ascii")
        except (BadSignature, UnicodeDecodeError):
            return None
