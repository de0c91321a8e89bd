"""The templates: everything is escaped, nothing is inline, and what a name holds is never markup."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from keeper.core.words import brief, gwei, money, short, short_address, small
from keeper.web.cards import age, percent, trimmed

HERE = Path(__file__).parent
STATIC = HERE / "static"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "age": age,
        "brief": brief,
        "clock": clock,
        "gwei": gwei,
        "money": money,
        "percent": percent,
        "quoted": lambda text: quote(str(text), safe=""),
        "short": short,
        "short_address": short_address,
        "small": small,
        "trimmed": trimmed,
        "words": lambda text: str(text).replace("_", " "),
    }
    return made


def clock(timestamp: int | None) -> str:
    """Return a time as people read it, in UTC."""
    return "–" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%d %b %H:%M:%S")


_PAGES = _environment()


def page(template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_PAGES.get_template(template).render(**given), status)
