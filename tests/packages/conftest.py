"""Where the suite is collected: in the environment of `./dev packages`, which alone has the packages."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

if find_spec("authlib") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    with warnings.catch_warnings():
        # python3-openid, which social-auth needs, has not followed defusedxml.
        warnings.filterwarnings("ignore", "defusedxml.cElementTree is deprecated", DeprecationWarning)
        import tests.packages.django_project  # noqa: F401 - modules of some packages need its settings to be imported
