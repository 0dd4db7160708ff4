"""Drive a real headless Chromium that has no network: what it asks for is recorded and refused."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_PACKAGES: Final = {"chromium": "chromium", "chromedriver": "chromium-driver"}
_FLAGS: Final = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    # Whatever name a page asks for leads nowhere: nothing is resolved, nothing is connected to.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
_SECONDS: Final = 60


def missing() -> tuple[str, ...]:
    """Return why there can be no browser here, a reason each; empty when there can."""
    return tuple(
        f"no {program} (package {package})"
        for program, package in _PACKAGES.items()
        if not shutil.which(program)
    )


class Browser:
    """One window. ``open`` a file, look at it, and ask what went wrong or out meanwhile."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file as a person would, by its file:// URL, and wait until it is loaded."""
        self.driver.get("about:blank")  # a fragment alone would not load the page again
        self._read_log("performance")
        self._read_log("browser")
        self.driver.get(path.resolve().as_uri() + fragment)

    def ask(self, script: str, *values: object) -> Any:  # noqa: ANN401 - JavaScript returns anything
        """Return what a script returns."""
        return self.driver.execute_script(script, *values)

    def command(self, name: str, **parameters: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return answer

    def resize(self, width: int, height: int = 900) -> None:
        """Make the page this wide and high, as it sees itself."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``, as a person's system does."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", media="", features=features)

    def print_page(self) -> bytes:
        """Return the page as a PDF on A4."""
        answer = self.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(answer["data"])

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG."""
        answer = self.command("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """Return what stands on the console: errors, warnings, refusals of the page's policy."""
        return [entry["message"] for entry in self._read_log("browser")]

    def requests(self) -> list[str]:
        """Return the URL of everything that was asked for since the page was opened."""
        events = [
            json.loads(entry["message"])["message"] for entry in self._read_log("performance")
        ]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _read_log(self, kind: str) -> list[dict[str, Any]]:
        """Return what has been logged since it was read last."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call] # selenium has no types there
        return entries


@contextmanager
def start_browser(folder: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own; it ends with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has no sandbox for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(_SECONDS)
        driver.set_script_timeout(_SECONDS)
        yield Browser(driver)
    finally:
        driver.quit()  # ends the driver and the browser that it started, by their ids
