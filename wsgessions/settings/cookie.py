"""The settings of the session cookie, with checks for contradictions that browsers silently reject (S-20 to S-28)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, ClassVar, Final, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from .types import Seconds, Switch, choice, wrong

__all__ = ["MAX_COOKIE_AGE", "TOKEN", "CookieSettings", "first_problem", "suffix_of"]

MAX_COOKIE_AGE: Final = timedelta(days=400)
"""The longest life of a cookie in browsers (RFC 6265bis, section 5.5)."""

MAX_NAME: Final = 100
"""The longest name that leaves room for the longest value within 200 bytes (S-26)."""
MAX_ATTRIBUTE: Final = 1024
"""Browsers ignore an attribute with a longer value (RFC 6265bis, section 5.6)."""
_MAX_SUFFIX: Final = 64
_PREFIX: Final = re.compile(r"__(host|secure|http|host-http)-(?=.)", re.IGNORECASE)

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""The name of a cookie or a header (RFC 9110, section 5.6.2)."""
_PATH: Final = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)


def _check_name(name: str) -> str:
    if not TOKEN.fullmatch(name) or len(name) > MAX_NAME:
        raise wrong(
            f'expected a cookie name: up to {MAX_NAME} ASCII letters, digits and marks, without spaces and ; , = "',
            "the default is __Host-sid",
        )
    return name


def _check_path(path: str) -> str:
    if not _PATH.fullmatch(path) or len(path) > MAX_ATTRIBUTE:
        raise wrong(f"expected a path: / and up to {MAX_ATTRIBUTE} printable ASCII characters, without spaces and ;")
    return path


def _check_domain(domain: str | None) -> str | None:
    if not domain:
        return None
    host = domain.removeprefix(".")  # which has no meaning (RFC 6265, section 5.2.3)
    if not _DOMAIN.fullmatch(host):
        raise wrong("expected a host name, such as example.org")
    return host


def suffix_of(context_path: str) -> str:
    """What the default name ends with, so that applications of one host with a context each have a cookie each.

    No two contexts have the same one, and none has the name of another's watermark: hyphens are doubled.
    """
    context = quote(context_path[1:], safe="").replace("-", "--")
    if len(context) > _MAX_SUFFIX:
        context = f"-{sha256(context_path.encode()).hexdigest()[:32]}"
    return context and f".{context}"


def _read_samesite(value: object) -> object:
    return "off" if value is False else value


class CookieSettings(BaseModel):
    """The attributes of the session cookie. The watermark's cookie differs in its name only (C-11)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    insecure: Switch = Field(
        default=False,
        description="Omits Secure over TLS too, and makes `sid` the default name, since a browser accepts no `__Host-` "
        'cookie without Secure. Over plain http `env = "development"` does so by itself.',
    )
    name: Annotated[str, AfterValidator(_check_name)] = Field(
        default_factory=lambda data: "sid" if data.get("insecure") else "__Host-sid",
        description=f"The id cookie's name, up to {MAX_NAME} characters; the watermark's cookie has the same name with "
        "`-v` at the end. With `cookie.insecure` the default is `sid`. With a `context_path` other than `/` the "
        "default name has it at the end: `__Host-sid.shop`.",
    )
    path: Annotated[str, AfterValidator(_check_path)] = Field(
        default="/", description="The path below which the browser sends the cookie; `__Host-` names allow only `/`."
    )
    domain: Annotated[str | None, AfterValidator(_check_domain)] = Field(
        default=None,
        description="The cookie's domain: all its hosts receive the cookie; by default only the host that "
        "set it does. A dot in front has no meaning. `__Host-` names allow no domain.",
    )
    secure: Switch = Field(
        default_factory=lambda data: not data.get("insecure"),
        description="Whether the browser sends the cookie over TLS only. False only with `cookie.insecure`. If set to "
        "true, it holds in development for requests over plain http too.",
    )
    httponly: Switch = Field(default=True, description="Whether the cookie is hidden from scripts in the page.")
    samesite: Annotated[
        Literal["lax", "strict", "none", "off"], choice("lax", "strict", "none", "off"), BeforeValidator(_read_samesite)
    ] = Field(
        default="lax",
        description="Whether requests from other sites carry the cookie: `lax`, `strict` or `none`, which "
        "needs Secure. `off` or false leaves the attribute out, and the choice to the browser.",
    )
    partitioned: Switch = Field(
        default=False,
        description="Whether an embedded page has a cookie of its own for each embedding site (CHIPS).",
    )
    max_age: Seconds = Field(
        default=None,
        description="How long the browser keeps the cookie, in whole seconds, after a change of the session, or "
        "after a use when a thirtieth of that time has passed; at most 400 days, and never beyond the session's "
        "absolute deadline. By default until the browser is closed.",
    )

    @property
    def watermark_name(self) -> str:
        """The name of the watermark's cookie (C-11)."""
        return f"{self.name}-v"

    def of_context(self, context_path: str) -> Self:
        """These settings with the default name of a context, if no name is set."""
        if "name" in self.model_fields_set or context_path == "/":
            return self
        values = {**self.__dict__, "name": self.name + suffix_of(context_path)}
        return self.model_construct(_fields_set=self.model_fields_set, **values)

    def over_plain_http(self) -> CookieSettings:
        """The same cookie without what browsers take over TLS only."""
        return CookieSettings(
            insecure=True,
            name=_PREFIX.sub("", self.name),
            path=self.path,
            domain=self.domain,
            httponly=self.httponly,
            samesite="lax" if self.samesite == "none" else self.samesite,
            max_age=self.max_age,
        )

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        details = [
            InitErrorDetails(type=problem, loc=(setting,), input=None) for setting, problem in _contradictions(self)
        ]
        if details:
            raise ValidationError.from_exception_data(type(self).__name__, details, hide_input=True)
        return self


def first_problem(**values: object) -> tuple[str, str] | None:
    """The first contradictory setting ``cookie.…`` of these values by name, and the reason; None if there is none."""
    try:
        CookieSettings.model_validate(values)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        return str(detail["loc"][0]), detail["msg"]
    return None


def _contradictions(cookie: CookieSettings) -> Iterator[tuple[str, PydanticCustomError]]:
    yield from _prefix_contradictions(cookie)
    if cookie.secure and cookie.insecure:
        yield "secure", wrong("it contradicts cookie.insecure", "set one of the two only")
    if not cookie.secure and not cookie.insecure:
        yield (
            "secure",
            wrong("a cookie without Secure is readable on the way", "for plain http on loopback set cookie.insecure"),
        )
    if cookie.samesite == "none" and not cookie.secure:
        yield "samesite", wrong("'none' needs Secure: browsers refuse the cookie otherwise", "use 'lax'")
    if cookie.partitioned and not cookie.secure:
        yield "partitioned", wrong("it needs Secure: browsers refuse the cookie otherwise")
    if cookie.max_age is not None and cookie.max_age > MAX_COOKIE_AGE.total_seconds():
        yield "max_age", wrong("browsers keep no cookie longer than 400 days")


def _prefix_contradictions(cookie: CookieSettings) -> Iterator[tuple[str, PydanticCustomError]]:
    # Browsers compare the prefix without regard to case (RFC 6265bis, section 5.7).
    name = cookie.name.lower()
    if name.startswith(("__host-", "__secure-", "__http-")) and not cookie.secure:
        yield "name", wrong("the name's prefix needs Secure", "leave cookie.name out, or drop cookie.insecure")
    if name.startswith(("__http-", "__host-http-")) and not cookie.httponly:
        yield "name", wrong("the name's prefix needs HttpOnly", "leave cookie.httponly at true")
    if name.startswith("__host-") and cookie.domain is not None:
        yield "domain", wrong("a __Host- cookie has no domain", "use the prefix __Secure- to share it among hosts")
    if name.startswith("__host-") and cookie.path != "/":
        yield "path", wrong("a __Host- cookie has the path /", "use the prefix __Secure- to limit the path")
