"""The contract of adapters as tests: one list of cases for every framework (R-60).

```python
class TestMyFramework(AdapterSuite):
    def get_app(self, manager):
        return MyAdapter(manager=manager).install(make_app())
```

``make_app`` makes an application with the routes that `AdapterHarness.get_app` lists, in the framework's own ways.
A framework that takes middleware of ASGI also has `AdapterHarness.get_app_around`.
Override the fixture ``store_url`` to run against a real store. It needs pytest, httpx2, and pytest-asyncio with
``asyncio_mode = "auto"``.
"""

from __future__ import annotations

from .actions import perform, perform_now
from .caches import CacheCases
from .cookies import CookieCases
from .header import HeaderCases
from .layers import LayerCases
from .login import LoginCases
from .long import LongConnectionCases
from .reading import ReadingCases
from .responses import ResponseCases
from .secrecy import SecrecyCases
from .sockets import SocketCases
from .strays import StrayCases
from .trouble import TroubleCases

__all__ = ["AdapterSuite", "perform", "perform_now"]


class AdapterSuite(
    ReadingCases,
    CookieCases,
    StrayCases,
    CacheCases,
    LoginCases,
    HeaderCases,
    LayerCases,
    ResponseCases,
    TroubleCases,
    SecrecyCases,
    SocketCases,
    LongConnectionCases,
):
    """The cases for every adapter. A subclass provides the framework's test application; see
    `AdapterHarness.get_app`.
    """
