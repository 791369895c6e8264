"""The picture of an app: the file that it names, or one drawn from its title."""

from __future__ import annotations

import hashlib
from html import escape
from pathlib import Path

#: The images that are served, by how their name ends.
TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}

#: A larger file is not served.
LARGEST = 8 << 20

_WIDTH, _HEIGHT = 640, 240

#: From the upper left to the lower right; white can be read on all of them, and none is glaring in the dark.
_COLOURS = (
    ("#6478e0", "#3c4aa6"),
    ("#3f9f9b", "#1f6673"),
    ("#cf6b8c", "#8e3d6b"),
    ("#cf9650", "#9a5c2e"),
    ("#5fa275", "#2d6e54"),
    ("#8f72cf", "#563f95"),
    ("#5398d3", "#2c5f99"),
    ("#7786a5", "#465272"),
    ("#d67d68", "#9f4a48"),
    ("#8d9a58", "#586935"),
)


def picture_of(title: str, name: str, file: str | None) -> tuple[bytes, str]:
    """The picture for a card, and its media type. Reads a file, so it is to be called in a thread.

    Args:
        title: The app's title.
        name: Its name.
        file: The image that was named for it; what cannot be shown is left for the drawing.
    """
    if file is not None:
        path = Path(file)
        kind = TYPES.get(path.suffix.lower())
        try:
            if kind and path.stat().st_size <= LARGEST:
                return path.read_bytes(), kind
        except OSError:
            pass
    return drawn(title, name).encode(), TYPES[".svg"]


def drawn(title: str, name: str) -> str:
    """An SVG from a title: always the same colours and shapes for the same name.

    Example:
        >>> drawn("Sales", "sales") == drawn("Sales", "sales")
        True
    """
    seed = hashlib.sha256(name.encode()).digest()
    light, dark = _COLOURS[seed[0] % len(_COLOURS)]
    shapes = (_bars, _line, _dots, _rings)[seed[2] % 4](seed[3:])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" preserveAspectRatio="xMidYMid slice">'
        '<defs><linearGradient id="ground" x1="0" y1="0" x2="1" y2="1">'
        f'<stop offset="0" stop-color="{light}"/><stop offset="1" stop-color="{dark}"/></linearGradient></defs>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="url(#ground)"/>'
        f'<g fill="#fff" stroke="#fff">{shapes}</g>'
        '<text x="38" y="84" fill="#fff" font-family="system-ui, sans-serif" font-size="52" font-weight="650" '
        f'letter-spacing="-1">{escape(initials(title))}</text></svg>'
    )


def initials(title: str) -> str:
    """One letter or two for a title: ``"Sales report"`` becomes ``"SR"``."""
    words = [word for word in title.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper()


def _bars(seed: bytes) -> str:
    heights = [30 + each * 130 // 255 for each in seed[:11]]
    return "".join(
        f'<rect x="{40 + 52 * at}" y="{_HEIGHT - high}" width="36" height="{high + 12}" rx="8" stroke="none" '
        f'opacity="{0.14 + 0.02 * at:.2f}"/>'
        for at, high in enumerate(heights)
    )


def _line(seed: bytes) -> str:
    points = [(-20 + 85 * at, 215 - each * 110 // 255) for at, each in enumerate(seed[:9])]
    way = f"M{points[0][0]} {points[0][1]}" + "".join(
        f" C{x - 42} {before} {x - 42} {y} {x} {y}" for (_, before), (x, y) in zip(points, points[1:], strict=False)
    )
    return (
        f'<path d="{way} V{_HEIGHT} H-20 Z" stroke="none" opacity=".14"/>'
        f'<path d="{way}" fill="none" stroke-width="4" opacity=".5"/>'
    )


def _dots(seed: bytes) -> str:
    return "".join(
        f'<circle cx="{60 + 40 * at}" cy="{215 - 5 * at - each * 100 // 255}" r="{5 + each % 15}" stroke="none" '
        f'opacity="{0.15 + each % 5 * 0.05:.2f}"/>'
        for at, each in enumerate(seed[:14])
    )


def _rings(seed: bytes) -> str:
    x, y = 440 + seed[0] * 120 // 255, 100 + seed[1] * 80 // 255
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{34 + 38 * at}" fill="none" stroke-width="{10 + each % 18}" '
        f'stroke-dasharray="{60 + each} {20 + each % 60}" opacity="{0.3 - 0.05 * at:.2f}"/>'
        for at, each in enumerate(seed[2:7])
    )
