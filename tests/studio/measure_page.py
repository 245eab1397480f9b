"""Measure the studio's page in a real Chromium: from a photograph to its portrait, from a slider to its picture.

    python tests/studio/measure_page.py [PHOTOGRAPH] [--moves 40]

Times are the page's own: from the change of a control until the new picture is drawn on the canvas, over the real
websocket, with one request in flight as the page has it. On a busy machine times tell little; beside them stands how
much processor time the studio spent on each picture. Nothing is asserted; the figures are printed.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for chromium.py

import psutil
from chromium import Browser, find_browser
from studio_served import Served

MOVES = """
(async (count, finished) => {
  const { controls, latencies, page } = studio, pause = () => new Promise((done) => setTimeout(done, 1));
  while (page.flying || page.wanted || page.painting) await pause();
  const first = latencies.length;
  for (let k = 0; k < count; k++) {
    const before = latencies.length;
    controls.set("/mirror/direction/age", Math.sin(k * 0.7 + finished), finished);
    while (latencies.length === before) await pause();
  }
  return latencies.slice(first);
})
"""
WHOLE = 6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the studio's page.")
    parser.add_argument("photograph", type=Path, nargs="?", help="a drawn one if there is none")
    parser.add_argument("--moves", type=int, default=40, help="of a slider, for each look")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photograph = options.photograph or drawn(Path(folder))
        served = Served("--port", "0")
        browser = Browser(find_browser(), size=(1440, 900), mobile=False)
        try:
            measure(browser, served, photograph, options.moves)
        finally:
            browser.close()
            served.close()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def measure(browser: Browser, served: Served, photograph: Path, moves: int) -> None:
    """Drive the page and print."""
    process = psutil.Process(served.pid)

    def spent() -> float:
        times = process.cpu_times()
        return (times.user + times.system) * 1000.0

    browser.open(served.url)
    browser.run("import('/studio.js').then((module) => { window.studio = module; })")
    browser.wait_for("!document.querySelector('#choose').disabled")
    shown, began = [], spent()
    for _ in range(9):
        browser.run("studio.page.sitter = null; studio.latencies.length = 0; window.began = performance.now()")
        browser.choose_file("#file", photograph)
        browser.wait_for("studio.latencies.length > 0")
        shown.append(browser.run("studio.page.sitter.seconds * 1000 + studio.latencies[0]"))
    print(line("photograph to portrait", shown, spent() - began))
    for look in browser.run("studio.page.menu.looks.map((one) => one.name)"):
        browser.run(f"studio.controls.set('/mirror/look', {look!r})")
        browser.run(f"{MOVES}(3, true)")
        whole = sorted(browser.run(f"{MOVES}({WHOLE}, true)"))[WHOLE // 2]
        browser.run(f"{MOVES}(3, false)")
        began = spent()
        times = browser.run(f"{MOVES}({moves}, false)")
        print(line(f"slider, look {look}", times, spent() - began) + f"  let go p50 {whole:5.0f} ms")


def line(name: str, milliseconds: list[float], spent_ms: float) -> str:
    """One line of the table; the processor time is that of the studio for each picture."""
    times = sorted(milliseconds)
    p50, p95 = times[len(times) // 2], times[min(len(times) - 1, round(0.95 * len(times)))]
    seen = f"p50 {p50:5.0f} ms  p95 {p95:5.0f} ms  worst {times[-1]:5.0f} ms"
    return f"{name:26} n {len(times):3}  {seen}  cpu {spent_ms / len(times):5.0f} ms"


def drawn(folder: Path) -> Path:
    """A photograph of somebody who does not exist, 2000 pixels wide as a phone's would be."""
    from PIL import Image

    from engines.faces.renderer import PortraitRenderer
    from engines.faces.visitor import PERSON

    renderer = PortraitRenderer(1024)
    Image.fromarray(renderer.render(PERSON)).resize((2000, 2000)).save(folder / "drawn.jpg", quality=92)
    renderer.release()
    return folder / "drawn.jpg"


if __name__ == "__main__":
    main()
