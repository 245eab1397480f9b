"""Measure `mirror portrait`: one photograph, and a batch of two hundred that is killed half way.

    python tests/studio/measure_portraits.py one                # all products, and the series alone
    python tests/studio/measure_portraits.py batch              # 180 good and 20 broken ones, killed and resumed
    python tests/studio/measure_portraits.py batch --cluster    # the same on a Ray of two workers, one of them killed

Photographs are procedural portraits; every command is the real one, in a process of its own. Exits with 1 if a result
is missing, made twice, or (with --cluster) not the same to the bit as without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample

GOOD, BROKEN = 180, 20
SIDE = 256
SEED = 11
_LOOK_EVERY_S = 0.1


def draw_photographs(folder: Path, count: int) -> None:
    """Draw procedural people as photographs: JPEG and PNG, now and then turned as a phone turns them."""
    renderer = PortraitRenderer(SIDE)
    for index in range(count):
        image = Image.fromarray(renderer.render(sample(np.random.default_rng(SEED + index))))
        if index % 10 == 3:
            exif = image.getexif()
            exif[0x0112] = 6
            image.transpose(Image.Transpose.ROTATE_90).save(folder / f"person{index:03}.jpg", exif=exif, quality=93)
        else:
            image.save(folder / f"person{index:03}.{'png' if index % 4 == 1 else 'jpg'}", quality=93)
    renderer.release()


def break_photographs(folder: Path, count: int) -> None:
    """Write files that nobody can make a portrait of: cut short, empty, no pictures, tiny, without a face."""
    whole = (folder / "person000.jpg").read_bytes()
    noise = np.random.default_rng(SEED)
    for index in range(count):
        path = folder / f"broken{index:03}.jpg"
        kind = index % 7
        if kind == 4:
            Image.new("RGB", (40, 30), (90, 90, 90)).save(path)
        elif kind == 5:
            Image.new("RGB", (400, 300), (90 + index, 90, 80)).save(path)
        elif kind == 6:
            Image.new("1", (30_000, 30_000)).save(path.with_suffix(".png"))
        else:
            path.write_bytes((whole[: 600 + 97 * index], b"", b"<html>not here</html>", noise.bytes(4000))[kind])


def start(photos: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """Start the command."""
    command = [sys.executable, "-m", "installation.cli", "portrait", str(photos), "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def finished(out: Path) -> dict[str, int]:
    """Name of each finished portrait -> when it was written, ns."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/portrait.json")}


def processor_s() -> float:
    """Processor time of all finished children, seconds: what a command costs however busy the machine is."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_for(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many portraits are finished."""
    while len(finished(out)) < count and process.poll() is None:
        time.sleep(_LOOK_EVERY_S)


def hashes(out: Path) -> dict[str, str]:
    """Every file of every portrait -> sha256."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def one(root: Path) -> bool:
    """Time one photograph."""
    draw_photographs(root, 1)
    for label, products in (("all products", ()), ("series alone", ("--products", "series"))):
        began, used = time.monotonic(), processor_s()
        process = start(root / "person000.jpg", root / label, *products)
        process.communicate()
        files = len(hashes(root / label))
        print(
            f"one photograph, {label}: {time.monotonic() - began:.1f} s from the command's start "
            f"({processor_s() - used:.1f} s of processor time), {files} files"
        )
        if process.returncode != 0:
            return False
    return True


def batch(root: Path, *, cluster: bool, products: str) -> bool:
    """Kill a batch half way and resume it; with Ray, kill a worker; compare."""
    photos = root / "photos"
    photos.mkdir()
    draw_photographs(photos, GOOD)
    break_photographs(photos, BROKEN)
    more = ("--products", products, "--workers", "2")
    out = root / "plain"
    began = time.monotonic()
    process = start(photos, out, *more)
    wait_for(out, GOOD // 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = finished(out)
    print(f"killed with SIGKILL after {time.monotonic() - began:.0f} s: {len(before)} portraits finished")
    process = start(photos, out, *more)
    said = process.communicate()[0].splitlines()
    after = finished(out)
    twice = sum(after[name] != at for name, at in before.items())
    good = _judge(out, said, time.monotonic() - began)
    print(f"made twice: {twice}")
    good &= twice == 0
    return good and (not cluster or _on_ray(root, photos, more, hashes(out)))


def _on_ray(root: Path, photos: Path, more: tuple[str, ...], expected: dict[str, str]) -> bool:
    out = root / "ray"
    began = time.monotonic()
    process = start(photos, out, *more, "--cluster", "local")
    wait_for(out, GOOD // 3, process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if any("ray::perform" in part for part in child.cmdline())
    ]
    if workers:
        workers[0].kill()
    print(f"Ray: {len(workers)} workers at work, one killed after {time.monotonic() - began:.0f} s")
    good = _judge(out, process.communicate()[0].splitlines(), time.monotonic() - began) and bool(workers)
    differing = [name for name, digest in hashes(out).items() if expected.get(name) != digest]
    print(f"files that differ from those of plain processes: {len(differing)} {' '.join(differing[:4])}")
    return good and not differing


def _judge(out: Path, said: list[str], seconds: float) -> bool:
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    sentences = summary["not_possible"]
    left = len(list(out.glob(".*")))
    print(f"{said[-2]}; {len(sentences)} sentences; {seconds:.0f} s in all; {left} unfinished folders left")
    for sentence in sorted({text.split(" ", 1)[-1] for text in sentences.values()})[:8]:
        print(f"    ... {sentence}")
    return summary["portraits"] == GOOD and len(sentences) == BROKEN and left == 0


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("one", "batch"))
    parser.add_argument("--cluster", action="store_true", help="a batch on a Ray of two workers as well")
    parser.add_argument("--products", default="series", help="of a batch (series)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portraits-") as folder:
        root = Path(folder)
        good = one(root) if options.what == "one" else batch(root, cluster=options.cluster, products=options.products)
    load = os.getloadavg()
    print(f"load of the machine: {load[0]:.1f} on {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
