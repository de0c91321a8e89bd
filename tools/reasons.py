"""Write docs/reasons.md from keeper.core.reasons: `python -m tools.reasons`. A test keeps the two the same."""

from __future__ import annotations

from pathlib import Path

from keeper.core.reasons import Reason

PAGE = Path(__file__).parents[1] / "docs" / "reasons.md"


def page() -> str:
    rows = "\n".join(f"| `{r.code}` | {r.short} | {r.remedy or '–'} |" for r in Reason)
    return (
        "# Every reason to hold, reject or fail\n\n"
        "Written by `python -m tools.reasons` from `keeper/core/reasons.py`. The codes are stable: logs, journal,\n"
        "alarms and `--json` use them.\n\n| code | what it means | what you can do |\n|---|---|---|\n" + rows + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
