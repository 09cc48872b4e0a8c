"""A session from its first change to its end."""

from __future__ import annotations

from devtools.pictures.drawing import WIDTH, Picture, code, label, note

IDLE_MINUTES = 30
AGE_HOURS = 24
_X, _FULL = 12, 450
_CENTRE = _X + _FULL / 2


def draw() -> Picture:
    """From no session to a session, and back."""
    picture = Picture(
        "Life of a session",
        "A visitor without a session costs nothing: no cookie, nothing stored, no command to the store. The first "
        "change creates the session and gives the browser its id. While it is live, each use restarts the idle time of "
        f"{IDLE_MINUTES} minutes, each change gives it a new version, and a login gives it a new id and ends the old "
        f"one in the same step. It ends by a logout, after {IDLE_MINUTES} minutes without use, or {AGE_HOURS} hours "
        "after its creation, by the store's clock. Then late changes are answered 409 and cannot bring it back. Its id "
        "is never adopted: the visitor has no session, and the next change creates one with a new id.",
        532,
    )
    nothing = note("no cookie, nothing stored, no command to the store")
    picture.box(_X, 12, _FULL, 56, "plain", label("no session"), nothing)
    picture.arrow((_CENTRE, 68), (_CENTRE, 126))
    picture.write(_CENTRE + 14, 88, note("the first change"), code('session["cart"] = ["tea"]'))
    picture.card(_X, 128, _FULL, 206, "store", label("live"))
    rows = (
        ("use", f"its {IDLE_MINUTES} minutes begin again"),
        ("change", "new version; only the change is sent"),
        ("login", "new id; the old one ends in the same step"),
    )
    for number, (name, text) in enumerate(rows):
        y = 164 + number * 54
        picture.box(_X + 14, y, 86, 44, "paper", label(name))
        picture.box(_X + 108, y, _FULL - 122, 44, "paper", note(text))
    ends = ("logout", f"{IDLE_MINUTES} min without use", f"{AGE_HOURS} h of age")
    for x, end in zip((_X + 62, _CENTRE - 10, _X + _FULL - 76), ends, strict=True):
        picture.arrow((x, 334), (x, 354))
        picture.write(x, 368, note(end), anchor="middle")
        picture.arrow((x, 380), (x, 400))
    refused = (note("a late change is answered 409,"), note("and cannot bring the session back"))
    picture.box(_X, 402, _FULL, 72, "bad", label("ended"), *refused)
    down, back = _X + 62, WIDTH - 22
    picture.arrow((down, 474), (down, 516), (back, 516), (back, 40), (_X + _FULL + 2, 40))
    picture.write(down + 14, 496, note("its id is unknown from now on, and never adopted"))
    return picture
