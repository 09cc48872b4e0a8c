"""What most of these tests start from."""

from __future__ import annotations

import pytest

from tests.nodes import Node, make_node
from wsgessions.stores.memory.store import MemoryStore


@pytest.fixture
def node() -> Node:
    """A server on a store of its own."""
    return make_node(MemoryStore())
