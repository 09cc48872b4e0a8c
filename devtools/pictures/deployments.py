"""Where processes and store run: one host, several, and a store with replicas."""

from __future__ import annotations

from devtools.pictures.drawing import WIDTH, Picture, code, label, note

_X, _FULL = 12, WIDTH - 24


def draw() -> Picture:
    """Three deployments, with the setting of each."""
    picture = Picture(
        "Deployments: one host, several hosts, a store with replicas",
        "One host: a proxy, the processes of the application, and the embedded store with its directory, which the "
        "first process starts. Several hosts: a proxy, processes on each host, and one Valkey or Redis that all of "
        "them reach with TLS. With replicas: the processes use the primary, which sends every change on to its "
        "replicas; store_url names all three, and a process whose primary is gone tries them in turn. Sentinel and "
        "Cluster addresses are not supported yet.",
        712,
    )
    _one_host(picture, 12)
    _several_hosts(picture, 214)
    _replicas(picture, 452)
    return picture


def _heading(picture: Picture, y: float, name: str, url: str) -> None:
    picture.write(_X, y + 8, label(name), code(f'store_url = "{url}"'))


def _one_host(picture: Picture, y: float) -> None:
    _heading(picture, y, "One host", "embedded:/var/lib/shop")
    top = y + 48
    picture.frame(_X, top, _FULL, 126)
    picture.box(_X + 14, top + 42, 90, 42, "plain", label("proxy"))
    for height in (14, 70):
        picture.box(_X + 166, top + height, 130, 42, "server", label("process"))
        picture.arrow((_X + 104, top + 63), (_X + 164, top + height + 21))
        picture.arrow((_X + 296, top + height + 21), (_X + 350, top + 63), both=True)
    picture.box(_X + 352, top + 30, 130, 66, "store", label("embedded"), label("store"), note("private socket"))


def _several_hosts(picture: Picture, y: float) -> None:
    _heading(picture, y, "Several hosts", "valkeys://sessions.internal:6379")
    top = y + 48
    picture.box(_X + 14, top + 61, 90, 42, "plain", label("proxy"))
    for host, height in (("host 1", 0), ("host 2", 86)):
        picture.frame(_X + 152, top + height, 158, 78)
        picture.write(_X + 166, top + height + 14, note(host, "soft"))
        picture.box(_X + 166, top + height + 26, 130, 42, "server", label("processes"))
        picture.arrow((_X + 104, top + 82), (_X + 164, top + height + 47))
        picture.arrow((_X + 296, top + height + 47), (_X + 350, top + 82), both=True)
    picture.box(_X + 352, top + 53, 130, 58, "store", label("Valkey"), label("or Redis"))


def _replicas(picture: Picture, y: float) -> None:
    _heading(picture, y, "With replicas", "valkeys://a:6379,b:6379,c:6379")
    top = y + 48
    picture.box(_X + 14, top + 38, 120, 58, "server", label("processes"), note("of all hosts"))
    picture.arrow((_X + 134, top + 67), (_X + 184, top + 67), both=True)
    picture.box(_X + 186, top + 38, 110, 58, "store", label("a"), note("primary"))
    for name, height in (("b", 0), ("c", 78)):
        picture.box(_X + 372, top + height, 110, 58, "store", label(name), note("replica"))
        picture.push((_X + 296, top + 67), (_X + 370, top + height + 29))
    picture.write(
        _X,
        top + 164,
        note("A replica has each change a moment later. If your tools promote b,"),
        note("the processes find it: they try a, b and c in turn."),
        note("Addresses of Sentinel and of a Cluster are not supported yet.", "soft"),
    )
