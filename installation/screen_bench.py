"""`mirror bench --screen`: what a picture costs on its way in, through the networks and to the screen.

Both ways are measured in one run where there are two: over the host, and inside the GPU (bytes up, pictures that stay).
That both show the same bytes is looked at, too. Where a machine has only the way over the host, it says why.

`--runs N` sets how often; the growth of memory is that over all of it, of the process and of the GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import moderngl
import numpy as np
import psutil
from numpy.typing import NDArray

from engines.runtime import Pack, load_pack
from engines.runtime.paths import find_pack
from engines.runtime.resident import ResidentPictures
from installation.core.device_images import DeviceImages
from installation.core.stats import Histogram
from installation.display.config import DisplayConfig
from installation.display.renderer import Renderer
from installation.display.scene import Picture
from installation.display.windows import open_window
from installation.runtime.cuda import Cuda

BURN_IN = 10
RUNS = 200
SLOTS = 4


def bench_screen(options: argparse.Namespace) -> int:
    """Measure and print; 1 if both ways do not show the same."""
    config = DisplayConfig()
    window = open_window(config, headless=True)
    renderer = Renderer(window.ctx, config)
    try:
        with load_pack(find_pack(options.pack or "default"), options.backend or "auto") as pack:
            about = {"pack": pack.name, "resolution": pack.resolution, "screen": window.name}
            result = about | measure(pack, renderer, window.ctx, options.runs or RUNS)
    finally:
        renderer.release()
        window.close()
    print(json.dumps(result, indent=2) if options.json else "\n".join(describe(result)))
    return 1 if result["same"] is False else 0


def measure(pack: Pack, renderer: Renderer, ctx: moderngl.Context, runs: int) -> dict[str, Any]:
    """Time each stage of both ways.

    Returns:
        `ms`: stage -> p50, p95, worst. `why_not`: why there is no way inside the GPU, or "". `same`: whether both ways
        show the same, None with one way. `growth_mb`: of host and GPU.
    """
    engine = pack.engine("generator", 1)
    latents = pack.w_avg[None].copy()
    images = np.zeros(engine.outputs["image"].shape, np.float32)
    pictures = ResidentPictures(SLOTS)

    def generate() -> None:
        engine.run({"w_plus": latents}, {"image": images})

    def draw() -> DeviceImages | None:
        return pictures.draw(engine, latents, 1)

    def show(given: NDArray[np.float32] | DeviceImages) -> None:
        renderer.show_pictures(Picture(given, 0.0, 1, 1, 0.0))

    generate()
    show(images)
    drawn = draw() if engine.resident and renderer.takes_gpu() else None
    cuda = None if drawn is None else Cuda()
    if drawn is not None:
        show(drawn)
    ms = _time_encoder(pack, runs) if pack.manifest.encoder is not None else {}
    before = _memory_mb(cuda)
    ms["generate, fetched"] = _timed(runs, generate)
    ms["show, fetched"] = _timed(runs, lambda: show(images), within=ctx.finish)
    same, why_not = None, ""
    if drawn is None or cuda is None:
        other = "the GPU keeps no picture" if engine.resident else f"{pack.backend.name} draws on no GPU of NVIDIA"
        why_not = renderer.why_not_gpu or other
    else:
        kept = drawn
        ms["generate, kept"] = _timed(runs, draw)
        ms["generate, the host's part"] = _timed(runs, lambda: engine.launch({"w_plus": latents}), after=draw)
        ms["show, kept"] = _timed(runs, lambda: show(kept), within=ctx.finish)
        ms["show, the host's part"] = _timed(runs, lambda: show(kept), after=ctx.finish)
        seen = renderer.look_at_pictures().copy()
        to_host = cuda.names.cudaMemcpyKind.cudaMemcpyDeviceToHost
        cuda.call("cudaMemcpy", images.ctypes.data, kept.address, kept.nbytes, to_host)
        show(images)
        same = bool(np.array_equal(seen, renderer.look_at_pictures()))
    growth = {name: round(value - before[name], 2) for name, value in _memory_mb(cuda).items()}
    pictures.close()
    return {"backend": pack.backend.name, "ms": ms, "why_not": why_not, "same": same, "growth_mb": growth}


def describe(result: dict[str, Any]) -> list[str]:
    """Say in lines what was measured."""
    lines = [f"pack {result['pack']} ({result['resolution']} px) on {result['backend']}, screen: {result['screen']}"]
    lines += [f"{'stage':<28}{'p50':>9}{'p95':>9}{'worst':>9}  ms"]
    lines += [f"{name:<28}{t['p50']:>9.2f}{t['p95']:>9.2f}{t['worst']:>9.2f}" for name, t in result["ms"].items()]
    if result["why_not"]:
        lines.append(f"pictures go to the screen through the host: {result['why_not']}")
    else:
        lines.append(f"both ways show the same: {'yes' if result['same'] else 'NO'}")
    return [*lines, f"growth in MB: {result['growth_mb']}"]


def _time_encoder(pack: Pack, runs: int) -> dict[str, dict[str, float]]:
    """Time the encoder from the eye's bytes on; by itself, without the likeness."""
    engine = pack.engine("encoder", 1)
    inputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.inputs.items()}
    side = inputs["crop"].shape[-1]
    crop = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}

    def by_numbers() -> None:
        np.multiply(crop.transpose(2, 0, 1), np.float32(1.0 / 127.5), out=inputs["crop"][0], casting="unsafe")
        inputs["crop"] -= 1.0
        engine.run(inputs, outputs)

    ms = {"encode, numbers go up": _timed(runs, by_numbers)}
    if len(inputs) == 1 and engine.run_bytes(crop, outputs):
        ms["encode, bytes go up"] = _timed(runs, lambda: engine.run_bytes(crop, outputs))
    return ms


def _timed(
    runs: int,
    act: Callable[[], object],
    *,
    within: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Time `act` with `within`; `after` is done each time, outside the clock."""
    histogram = Histogram()
    for count in range(BURN_IN + runs):
        began = time.perf_counter()
        act()
        within()
        took = time.perf_counter() - began
        after()
        if count >= BURN_IN:
            histogram.add(took * 1000.0)
    return histogram.summary()


def _memory_mb(cuda: Cuda | None) -> dict[str, float]:
    """Resident memory of this process, and what is taken of the GPU's."""
    memory = {"host": psutil.Process().memory_info().rss / 1e6}
    if cuda is not None:
        free, total = cuda.call("cudaMemGetInfo")
        memory["gpu"] = (int(total) - int(free)) / 1e6
    return memory
