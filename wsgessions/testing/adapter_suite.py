"""What every adapter does, as tests: one list of cases through every framework (R-60).

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

from .adapter_actions import perform, perform_now
from .adapter_caches import CacheCases
from .adapter_cookies import CookieCases
from .adapter_header import HeaderCases
from .adapter_layers import LayerCases
from .adapter_login import LoginCases
from .adapter_long import LongConnectionCases
from .adapter_reading import ReadingCases
from .adapter_responses import ResponseCases
from .adapter_secrecy import SecrecyCases
from .adapter_sockets import SocketCases
from .adapter_strays import StrayCases
from .adapter_trouble import TroubleCases

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
    """What holds for every adapter. A subclass gives the framework's test application; see `AdapterHarness.get_app`."""
