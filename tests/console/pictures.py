"""``python -m tests.console.pictures``: the pictures of the console, light, dark and narrow.

All of them go into build/pictures, which git does not know; the ones that docs/how-to/console.md
shows go beside it, too. It takes chromium and chromedriver.
"""

import io
import logging
import tempfile
from pathlib import Path

import click
import pytest
from PIL import Image

from tests.console.browser import browser
from tests.console.night import Night, night
from tests.serving import serving

ROOT = Path(__file__).parents[2]
EVERY = ROOT / "build" / "pictures"
SHOWN = ROOT / "docs" / "how-to" / "pictures"

#: How a page is looked at: its width in CSS pixels, and the colors.
LOOKS = {"light": (1240, "light"), "dark": (1240, "dark"), "narrow": (320, "light")}

#: What docs/how-to/console.md shows, and how much of it, from the top.
OF_DOCS = {
    "overview-light": 1000,
    "overview-dark": 1000,
    "events-light": 760,
    "event-light": 1050,
    "event-dark": 1050,
    "try-light": 700,
    "dead-light": 330,
    "replay-light": 760,
    "versions-light": 900,
    "quarantine-light": 760,
    "live-dark": 640,
}

#: Pages have few colors; with so many they take a fifth of the bytes.
COLORS = 96


def pages_of(night: Night) -> dict[str, str]:
    """Return the pages by the names of their pictures."""
    dead, waiting, shadow = (night.entry(state) for state in ("dead", "waiting", "shadow"))
    return {
        "overview": "/",
        "events": "/events",
        "events-filtered": "/events?state=dead&at=support",
        "events-none": "/events?state=ignored",
        "events-mistake": "/events?state=deed&since=never",
        "event": f"/events/{dead}",
        "event-waiting": f"/events/{waiting}",
        "event-shadow": f"/events/{shadow}",
        "try": f"/events/{dead}?try=1",
        "fixture": f"/events/{dead}/fixture",
        "event-gone": "/events/999999",
        "dead": "/dead",
        "replays": "/replays",
        "replay": "/replays/1",
        "bulk": "/replays/new?state=dead",
        "endpoints": "/endpoints",
        "endpoint": "/endpoints/support",
        "versions": "/versions/orders",
        "quarantine": "/quarantine",
        "quarantine-at": "/quarantine?at=support",
        "refused": "/quarantine/1",
        "live": "/live",
        "handlers": "/handlers",
        "audit": "/audit",
    }


def act(night: Night) -> None:
    """Do what a person does in that night, so that pages of actions show something."""
    older = night.stage.inbox.find(limit=1000)
    replayed = [each.id for each in older if each.state.value == "dead"][-1]
    night.press(f"/events/{replayed}", f"/events/{replayed}/replay", reason="the order exists now")
    night.press(f"/events/{replayed}", f"/events/{replayed}/reveal")
    night.press(
        "/replays/new?state=dead&until=2026-03-03T01:00Z",
        "/replays/start",
        reason="the returns desk is mended",
        per_second="20",
    )
    night.stage.state.replaying.advance()
    night.stage.run_due()


def small(picture: bytes) -> Image.Image:
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    return whole.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=3)


def main() -> None:
    logging.disable()
    for folder in (EVERY, SHOWN):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
        night(Path(folder), monkeypatch) as found,
        serving(found.app) as url,
        browser(folder) as window,
    ):
        pages = pages_of(found)
        act(found)
        for name, path in pages.items():
            for look, (width, scheme) in LOOKS.items():
                window.media(prefers_color_scheme=scheme)
                window.resize(width)
                window.look(f"{url}/ops{path}")
                draw(window, f"{name}-{look}")
    for each in sorted(SHOWN.glob("*.png")):
        click.echo(f"{each.stat().st_size / 1024:5.1f} KB {each.relative_to(ROOT)}")


def draw(window, name: str) -> None:
    file = EVERY / f"{name}.png"
    window.picture(file)
    picture = small(file.read_bytes())
    picture.save(file, optimize=True)
    if name in OF_DOCS:
        height = min(OF_DOCS[name], picture.height)
        picture.crop((0, 0, picture.width, height)).save(SHOWN / file.name, optimize=True)


if __name__ == "__main__":
    main()
