"""Opens the built site in Chromium, wide and narrow, and says what is wrong with it: `make look`.

``python -m tools.look_at_pages [PAGE ...]`` opens these pages (without: all), at 1300 and 400
pixels: nothing may be wider than the page, every picture is there, every formula rendered, tabs
switch, the search finds other libraries' names. Links between pages are read
from the files. Screenshots lie in docs/_build/look.
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import unquote, urldefrag

SITE = Path(__file__).parents[1] / "docs" / "_build"
PICTURES = SITE / "look"
WIDTHS = (1300, 400)
SEARCHES = {"dim": "reference/softmax.html", "logsigmoid": "reference/log_sigmoid.html"}
# Pages of which a picture is kept.
SHOWN = (
    *(
        "index",
        "getting_started",
        "tutorials/first_model",
        "tutorials/naive_to_stable",
        "how_to/move",
    ),
    *(
        "libraries/pytorch",
        "libraries/cupy",
        "reference/index",
        "reference/losses",
        "reference/softplus",
    ),
    *(
        "reference/softmax",
        "reference/cross_entropy",
        "reference/circle_loss",
        "reference/nn.HuberLoss",
    ),
    *("reference/autograd.grad", "names", "accuracy/float32", "design", "changelog", "how_to/nan"),
)
ASK = Path(__file__).with_suffix(".js").read_text("utf-8")


class Links(HTMLParser):
    """The addresses that a page names, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        found = dict(attrs)
        self.anchors.update(x for x in (found.get("id"), found.get("name")) if x)
        self.targets += [x for x in (found.get("href"), found.get("src")) if x]


def broken_links() -> Iterator[str]:
    """Links to files or anchors that are not there."""
    pages = {path: Links(path.read_text("utf-8")) for path in sorted(SITE.rglob("*.html"))}
    for path, page in pages.items():
        if "_static" in path.parts:
            continue
        for target in page.targets:
            if ":" in target.partition("/")[0] or target.startswith("//") or target == "#":
                continue
            address, anchor = urldefrag(unquote(target))
            file = (path.parent / address.partition("?")[0]).resolve() if address else path
            if file.is_dir():
                file /= "index.html"
            if not file.exists():
                yield f"{path.relative_to(SITE)}: no file {target}"
            elif anchor and file in pages and anchor not in pages[file].anchors:
                yield f"{path.relative_to(SITE)}: no anchor {target}"


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site without a line for each file."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def browser() -> Any:
    """Start Chromium without a window."""
    from selenium import webdriver  # only this target needs it

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    service = webdriver.ChromeService(which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def resize(driver: Any, width: int, height: int) -> None:
    """Set the size of the page itself; a window has a least width."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def faults_of(driver: Any, root: str, page: str, width: int) -> list[str]:
    """Open a page at a width, and return what is wrong with it."""
    resize(driver, width, 1000)
    driver.get(f"{root}/{page}.html")
    found: list[str] = driver.execute_async_script(ASK)
    said = [entry["message"] for entry in driver.get_log("browser")]
    if page in SHOWN:
        driver.execute_script("window.scrollTo(0, 0)")
        height = driver.execute_script("return document.scrollingElement.scrollHeight")
        resize(driver, width, min(height, 2600))
        driver.save_screenshot(str(PICTURES / f"{page.replace('/', '-')}-{width}.png"))
    return [f"{page} at {width}: {fault}" for fault in (*found, *said)]


def searched(driver: Any, root: str) -> list[str]:
    """What the search does not find."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.expected_conditions import presence_of_element_located
    from selenium.webdriver.support.ui import WebDriverWait

    found: list[str] = []
    for words, page in SEARCHES.items():
        driver.get(f"{root}/search.html?q={words}")
        place = ("css selector", f"#search-results a[href*='{page}']")
        try:
            WebDriverWait(driver, 20).until(presence_of_element_located(place))
        except TimeoutException:
            found.append(f"a search for {words!r} does not find {page}")
        driver.save_screenshot(str(PICTURES / f"search-{words}.png"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is wrong; return how many things are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*")
    wanted = parser.parse_args(arguments).pages
    built = sorted(p.relative_to(SITE).with_suffix("").as_posix() for p in SITE.rglob("*.html"))
    skipped = ("_static", "_modules", "genindex", "search", "py-modindex")
    pages = wanted or [page for page in built if not page.startswith(skipped)]
    PICTURES.mkdir(exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    driver = browser()
    try:
        faults = [
            f for page in pages for width in WIDTHS for f in faults_of(driver, root, page, width)
        ]
        faults += searched(driver, root)
    finally:
        driver.quit()
        server.shutdown()
    faults += [] if wanted else broken_links()
    print("\n".join(faults))
    print(f"{len(pages)} pages, {len(faults)} faults; pictures in {PICTURES}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
