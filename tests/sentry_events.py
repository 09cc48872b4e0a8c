"""What Sentry's client would send of the errors in a test, as far as it goes: personal data and local variables too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.transport import Transport

from wsgessions.scrubbing import Scrubber

__all__ = ["Sent", "sending"]


class Sent(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[str] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.envelopes += [json.dumps(item.payload.json, default=repr) for item in envelope.items]


@contextmanager
def sending(*integrations: Integration) -> Iterator[Sent]:
    """Send with these integrations and the scrubber that is shipped, until the end of the block."""
    transport = Sent()
    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=transport,
        integrations=integrations,
        send_default_pii=True,
        include_local_variables=True,
        traces_sample_rate=1.0,
        max_request_body_size="always",
        default_integrations=False,
        before_send=Scrubber(),
        before_send_transaction=Scrubber(),
    )
    try:
        yield transport
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.init()
