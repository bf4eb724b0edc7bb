"""A served demonstration city, and Chromium that may talk to nothing else."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from data.cluster import Cluster
from data.database import Database
from data.passwords import DEMO_LOGINS
from data.positions import place_demo_staff
from data.settings import DEMO_COUNTY
from tests.conftest import ROOT, Furnished
from tests.served import Served

SCREENSHOTS = ROOT / "tests" / "screenshots"
# A software renderer draws every frame of a fade.
STILL = {"reduced_motion": "reduce"}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Desk:
    """A page of the served city, what went wrong on it, and the database behind it."""

    PASSWORD: ClassVar[str] = "onegrid-demo"
    # Of an account that is none of the demonstration's own.
    OWN_PASSWORD: ClassVar[str] = "Blaue-Ziege-77-Kanal"

    page: Page
    base: str
    database: Database
    troubles: list[str] = field(default_factory=list)
    pending: set[Request] = field(default_factory=set)

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.settle()

    def settle(self, seconds: float = 30) -> None:
        """Wait until nothing has been on its way for half a second.

        Playwright's own "networkidle" is sometimes never told of a page that holds a map in a frame
        although every answer has come.
        """
        self.page.wait_for_load_state()
        deadline, quiet = time.monotonic() + seconds, 0
        while quiet < 5:
            assert time.monotonic() < deadline, [request.url for request in self.pending]
            self.page.wait_for_timeout(100)
            quiet = 0 if self.pending else quiet + 1

    def begun(self, request: Request) -> None:
        self.watch(request.url)
        if request.resource_type != "eventsource":  # a stream never ends
            self.pending.add(request)

    def sign_in(self, login: str = "demo") -> None:
        self.open("/login")
        self.page.fill("input[name=login]", login)
        is_demo = login in DEMO_LOGINS
        self.page.fill("input[name=password]", self.PASSWORD if is_demo else self.OWN_PASSWORD)
        self.page.click("main button")
        self.settle()

    def until(self, expression: str, arg: object = None, seconds: float = 30) -> None:
        """Wait for JavaScript to be so; Playwright's own waiting evaluates strings in the page."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression, arg):
            assert time.monotonic() < deadline, (expression, arg)
            self.page.wait_for_timeout(50)

    def shoot(self, name: str) -> bytes:
        self.page.wait_for_timeout(400)  # Leaflet fades its layers in
        SCREENSHOTS.mkdir(exist_ok=True)
        return self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def violations(self) -> list[tuple[str, str]]:
        """Serious violations that axe-core finds on the page: the rule, and the first element."""
        axe = ROOT / "node_modules" / "axe-core" / "axe.min.js"
        if not axe.exists():
            pytest.skip("axe-core is not installed: make setup")
        self.page.evaluate(axe.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run().then(r => r.violations)")
        serious = [one for one in found if one["impact"] in {"serious", "critical"}]
        return [(one["id"], one["nodes"][0]["html"]) for one in serious]

    def finished(self, request: Request) -> None:
        self.pending.discard(request)

    def failed(self, request: Request) -> None:
        self.pending.discard(request)
        if request.failure != "net::ERR_ABORTED":  # a page that was left before it was whole
            self.troubles.append(f"failed: {request.url} {request.failure}")

    def watch(self, request_url: str) -> None:
        if not request_url.startswith((self.base, "data:", "blob:", "file:")):
            self.troubles.append(f"left the host: {request_url}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed: make test installs it where apt-get has it")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="session")
def server(cluster: Cluster, furnished: Furnished) -> Iterator[Served]:
    database = furnished.city(cluster, "browser_city")
    made = Served(database, furnished.home, DEMO_COUNTY)
    made.start()
    yield made
    made.stop()


def watched(browser: Browser, served: Served, **options) -> Desk:
    """A page in a browser of its own, which notes whatever goes wrong on it."""
    viewport = options.pop("viewport", {"width": 1400, "height": 900})
    context = browser.new_context(viewport=viewport, locale="zh-CN", **(STILL | options))
    made = Desk(context.new_page(), served.base, served.database)
    made.page.on("request", made.begun)
    made.page.on("requestfinished", made.finished)
    made.page.on("pageerror", lambda error: made.troubles.append(f"script error: {error}"))
    made.page.on(
        "console",
        lambda message: made.troubles.append(message.text) if message.type == "error" else None,
    )
    made.page.on("requestfailed", made.failed)
    return made


@pytest.fixture(scope="module")
def viewport() -> dict[str, int]:
    """How large a desk's window is."""
    return {"width": 1400, "height": 900}


@pytest.fixture
def desk(browser: Browser, server: Served, viewport: dict[str, int]) -> Iterator[Desk]:
    with server.database.session() as session:  # no worker runs that would keep them fresh
        place_demo_staff(session, DEMO_COUNTY, seed=1)
    made = watched(browser, server, viewport=viewport)
    yield made
    made.page.context.close()
    assert made.troubles == []
