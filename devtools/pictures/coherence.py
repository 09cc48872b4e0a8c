"""A browser goes from server to server, and sees its own write."""

from __future__ import annotations

from devtools.pictures.drawing import Picture, label, note

_HEIGHT = 500
_BROWSER, _A, _B, _STORE = 58, 190, 326, 462
"""Where the lanes are."""


def draw() -> Picture:
    """The watermark decides whether a copy may be served."""
    picture = Picture(
        "A browser writes on server A and reads on server B, which holds an older copy",
        "The browser posts to server A with the watermark v7. Server A sends the store one script with only the "
        "change, and the answer carries the watermark v8. The store sends server B a message that the session has "
        "changed. The browser asks server B with the watermark v8; the copy of server B is v7, so it asks the store "
        "what has changed since v7, and the browser sees its own write. The next request is answered from the memory "
        "of server B, without the store, since its copy is v8 and its lease is fresh.",
        _HEIGHT,
    )
    for x in (_BROWSER, _A, _B, _STORE):
        picture.guide((x, 46), (x, _HEIGHT - 12))
    picture.box(_BROWSER - 46, 12, 92, 34, "plain", label("browser"))
    picture.box(_A - 46, 12, 92, 34, "server", label("server A"))
    picture.box(_B - 46, 12, 92, 34, "server", label("server B"))
    picture.box(_STORE - 46, 12, 92, 34, "store", label("store"))
    _message(picture, 86, _BROWSER, _A, "POST, seen: v7")
    _message(picture, 122, _A, _STORE, "one script: only what changed")
    _message(picture, 158, _STORE, _A, "v8")
    _message(picture, 194, _A, _BROWSER, "200, seen: v8")
    picture.push((_STORE, 158), (_B + 2, 218))
    picture.write(_STORE - 8, 226, note("it has changed", "push"), anchor="end")
    _message(picture, 262, _BROWSER, _B, "GET, seen: v8; the copy here: v7")
    _message(picture, 298, _B, _STORE, "news since v7?")
    _message(picture, 334, _STORE, _B, "v8, one change")
    _message(picture, 370, _B, _BROWSER, "200, seen: v8; its own write")
    _message(picture, 438, _BROWSER, _B, "GET, seen: v8; the copy here: v8")
    _message(picture, 474, _B, _BROWSER, "200 from memory")
    picture.write(_STORE, 456, note("not asked", "soft"), anchor="middle")
    return picture


def _message(picture: Picture, y: float, sender: float, receiver: float, text: str) -> None:
    inward = 2 if receiver > sender else -2
    picture.arrow((sender, y), (receiver - inward, y))
    picture.write(min(sender, receiver) + 8, y - 12, note(text))
