"""What is kept on which side of which boundary."""

from __future__ import annotations

from devtools.pictures.drawing import WIDTH, Picture, label, note

_X, _FULL = 12, WIDTH - 24
_INNER, _WIDE = _X + 14, _FULL - 28
_LINKS = 450


def draw() -> Picture:
    """The visitor's device, the application's host, the store's host."""
    picture = Picture(
        "Trust boundaries: ids stay between browser and application",
        "Three boundaries. The visitor's device: the browser has the id and the watermark. The application's user on "
        "its host: workers have ids, secrets, the store's password and values; the memory that workers share has KEYs "
        "and values; core files and swap have all that a worker has. The store's host: Valkey or Redis has KEYs and "
        "values, no ids and no pepper, and so have its append-only file, replicas and backups. Between browser and "
        "worker there is https, between worker and store TLS, a password, and a rule for one namespace.",
        576,
    )
    picture.frame(_X, 12, _FULL, 100, label("the visitor's device", "soft"))
    picture.box(_INNER, 46, _WIDE, 52, "plain", label("browser"), note("id, watermark"))
    picture.arrow((_LINKS, 98), (_LINKS, 188), both=True)
    picture.write(_LINKS - 12, 132, note("https"), anchor="end")
    picture.frame(_X, 152, _FULL, 196, label("the application's user on its host", "soft"))
    picture.box(_INNER, 190, _WIDE, 52, "server", label("workers"), note("ids, secrets, the store's password, values"))
    for x in (120, 308):
        picture.arrow((x, 242), (x, 276))
    picture.box(_INNER, 278, 180, 56, "memory", label("shared memory"), note("KEYs, values"))
    picture.box(_INNER + 192, 278, 180, 56, "plain", label("core files, swap"), note("all that a worker has"))
    picture.arrow((_LINKS, 242), (_LINKS, 424), both=True)
    picture.write(_LINKS - 12, 368, note("TLS, password, rules for one namespace"), anchor="end")
    picture.frame(_X, 388, _FULL, 176, label("the store's host", "soft"))
    picture.box(_INNER, 426, _WIDE, 52, "store", label("Valkey or Redis"), note("KEYs, values; no ids, no pepper"))
    picture.arrow((_LINKS, 478), (_LINKS, 508))
    picture.box(_INNER, 510, _WIDE, 40, "store", label("append-only file, replicas, backups"))
    return picture
