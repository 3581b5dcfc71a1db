"""`python -m bench.page`: bring the figures of a run into the documentation.

    python -m bench.page build/bench/results.json --scale build/bench/scale.json

What stands between the marks of docs/benchmarks.md and README.md is written anew, the plots of the
scale are drawn, and the figures are kept in docs/_static, from which anybody can make the same.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import tables

_CHECKOUT = Path(__file__).resolve().parent.parent

# Where the figures are kept.
RUN = Path("docs", "_static", "benchmarks.json")
SCALE = Path("docs", "_static", "scale.json")


class PageError(Exception):
    """A page has no place for the figures."""


def main() -> int:
    """Write the pages; exit status 2 if a file is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("run", type=Path, nargs="?", help="the JSON of `python -m bench`")
    parser.add_argument("--scale", type=Path, help="the JSON of `python -m bench.scale`")
    arguments = parser.parse_args()
    if arguments.run is None and arguments.scale is None:
        parser.error("the figures of a run are missing")
    try:
        if arguments.run is not None:
            keep(arguments.run, _CHECKOUT / RUN)
        if arguments.scale is not None:
            keep(arguments.scale, _CHECKOUT / SCALE)
            _draw(_CHECKOUT / SCALE)
        for path, text in pages(_CHECKOUT).items():
            path.write_text(text, encoding="utf-8")
            print(path)
    except (OSError, ValueError, PageError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def keep(source: Path, target: Path) -> None:
    """Keep the figures of a run, on a line."""
    figures = json.loads(source.read_text(encoding="utf-8"))
    target.write_text(json.dumps(figures, separators=(",", ":")) + "\n", encoding="utf-8")


def pages(checkout: Path) -> dict[Path, str]:
    """Return the pages as the figures that are kept make them.

    Raises:
        PageError: a page has no marks between which they belong.
    """
    page, readme = checkout / "docs" / "benchmarks.md", checkout / "README.md"
    texts = {path: path.read_text(encoding="utf-8") for path in (page, readme)}
    if (checkout / RUN).exists():
        run = _read(checkout / RUN)
        texts[page] = between(texts[page], "results", tables.results(run, RUN.relative_to("docs")))
        texts[readme] = between(texts[readme], "numbers", tables.numbers(run))
    if (checkout / SCALE).exists():
        scale = tables.scale(_read(checkout / SCALE), SCALE.relative_to("docs"))
        texts[page] = between(texts[page], "scale", scale)
    return texts


def between(text: str, name: str, content: str) -> str:
    """Return the text with this content between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise PageError(f"there is one place for the {name} in each page, and here it is missing")
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: f"{begin}{content}\n{end}", text, count=1, flags=re.DOTALL)


def _read(path: Path) -> Mapping[str, Any]:
    figures: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return figures


def _draw(path: Path) -> None:
    # Here, because matplotlib is big and need not be there for the rest.
    from bench.scale.plot import draw_all

    for plot in draw_all(_read(path)["sweeps"], path.parent):
        print(plot)


if __name__ == "__main__":
    sys.exit(main())
