"""Measure a portrait pack against what it promises: `mirror models verify PACK [--footage DIR]`.

Everything is measured through the pack's own graphs, as the mirror runs them, on data of a seed that training never
used. A number that is not reached is printed like the others. The footage rows are in `verify_footage`, the still
face's in `verify_still`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from engines.faces.parameters import HIGH, INDEX, LOW
from engines.runtime.pack import DEFAULT_PACK, load_pack
from engines.runtime.refinement import can_refine, refine
from engines.training.bench import Bench, Row, at_least, at_most, skin_lab
from engines.training.face_measures import landmark_error, measures
from engines.training.verify_footage import footage_rows
from engines.training.verify_still import still_face
from installation.core.latents import style_mix

FIFTEEN = (
    "age", "eye_distance", "eye_eyebrow_distance", "eye_ratio", "eyes_open", "gender_expression", "lip_ratio",
    "mouth_open", "nose_mouth_distance", "nose_ratio", "nose_tip", "pitch", "roll", "smile", "yaw",
)  # fmt: skip

PARAMETER = {"gender_expression": "masculinity", "eye_eyebrow_distance": "brow_distance"}
"""Parameter of each of the fifteen, where it is called otherwise."""

UNSEEN = ("age", "gender_expression", "nose_tip", "nose_ratio")
"""What MediaPipe does not see (the shader's own noses widen its reading by 1 % of the face): the readout tells it."""

EXPRESSIONS = {
    "mouth_open": (0.0, 0.25, 0.5, 0.75, 1.0),
    "smile": (-0.6, -0.2, 0.2, 0.6, 1.0),
    "eyes_open": (0.2, 0.45, 0.7, 0.95, 1.2),
}
GAZE = {"gaze_x": (-0.8, -0.4, 0.0, 0.4, 0.8), "gaze_y": (-0.8, -0.4, 0.0, 0.4, 0.8)}

LATENCY_RUNS = 200

STEPS = 7
"""Amounts at which a direction is looked at, over its whole range."""

Section = Callable[[Bench], list[Row]]


def report(
    pack_dir: Path = DEFAULT_PACK,
    footage: Path | None = None,
    *,
    scale: float = 1.0,
    show: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Measure every figure: minutes, most of them spent drawing portraits without a GPU.

    Args:
        pack_dir: A portrait pack.
        footage: Folder of video files; None leaves the rows of real faces out.
        scale: Multiplies the numbers of samples; 1 is the full report.
        show: Told each row as soon as it is measured.

    Raises:
        EngineError: If the pack cannot be loaded or is no portrait pack.
    """
    sections: list[Section] = [faces_found, fidelity, expression, directions, mixing, second_way, still_face, latency]
    if footage is not None:
        sections.append(lambda bench: footage_rows(bench, footage))
    rows: list[Row] = []
    with load_pack(pack_dir) as pack:
        bench = Bench(pack, scale)
        try:
            for section in sections:
                for row in section(bench):
                    rows.append(row)
                    show(row)
        finally:
            bench.close()
    return rows


def faces_found(bench: Bench) -> list[Row]:
    """MediaPipe finds a face in portraits and in generator samples."""
    n = bench.count(1000)
    drawn = sum(bench.find(bench.renderer.render(p)) is not None for p in bench.people(n))
    made = sum(bench.find(picture) is not None for picture in bench.draw(bench.random_latents(n, psi=0.7)))
    return [
        at_least(f"faces found in {n} portraits", drawn / n, 0.99),
        at_least(f"faces found in {n} generator samples at psi 0.7", made / n, 0.97),
    ]


def fidelity(bench: Bench) -> list[Row]:
    """Generator against shader on people it never saw."""
    people = bench.people(bench.count(256))
    made = np.stack(bench.draw(bench.latents_of(people))).astype(np.float64)
    true = np.stack([bench.renderer.render(p) for p in people]).astype(np.float64)
    score = 10.0 * np.log10(255.0**2 / np.mean((made - true) ** 2))
    goal = 28.0 if bench.pack.resolution >= 256 else 27.0
    return [at_least(f"PSNR on {len(people)} held-out faces, dB", float(score), goal)]


def expression(bench: Bench) -> list[Row]:
    """Sweeps within an identity: the generator's response against the shader's own."""
    rows = []
    people = bench.people(bench.count(16))
    for p in people:
        p[INDEX["yaw"]] *= 0.5
        p[INDEX["pucker"]] = p[INDEX["wink"]] = 0.0
    for name, levels in EXPRESSIONS.items():
        pairs = [_sweep(bench, p, name, levels) for p in people]
        kept = [pair for pair in pairs if pair is not None]
        correlation = np.mean([np.corrcoef(made, true)[0, 1] for made, true in kept]) if kept else 0.0
        size = np.mean([np.polyfit(true, made, 1)[0] for made, true in kept]) if kept else 0.0
        rows += [
            at_least(f"sweep {name}: correlation with the shader's", float(correlation), 0.9, f"{len(kept)} people"),
            at_least(f"sweep {name}: response size", float(size), 0.7),
        ]
    for name, levels in GAZE.items():
        read = []
        for p in people:
            swept = _swept(p, name, levels)
            read.append(np.corrcoef(bench.pack.read_out(bench.latents_of(swept))[:, INDEX[name]], levels)[0, 1])
        rows.append(at_least(f"sweep {name}: correlation by the readout", float(np.mean(read)), 0.9))
    return rows


def directions(bench: Bench) -> list[Row]:
    """Each of the fifteen moves its own measure, monotonically, and the others little.

    Effects on others are read out of W+, as parts of what their own directions do: MediaPipe's measures are not
    independent of one another even on the shader's own pictures (a turned head reads as a narrower one). What it says
    is in the note.
    """
    bases = bench.random_latents(bench.count(12), psi=0.5)
    read = bench.pack.read_out(bases)
    for name in ("yaw", "pitch", "roll"):
        # Measures of turned faces say little: bring every base to the front.
        bases = bases - read[:, INDEX[name], None, None] * bench.pack.directions[name].vector
    curves = {name: _curves(bench, name, bases) for name in FIFTEEN}
    rows = []
    for name in FIFTEEN:
        seen, read_out = curves[name]
        amounts = np.arange(STEPS)
        own = read_out[name] if name in UNSEEN else seen.get(name, np.zeros(STEPS))
        how = "readout" if name in UNSEEN else "MediaPipe"
        monotone = float(spearmanr(own, amounts).statistic) if np.ptp(own) > 0 else 0.0
        rows.append(at_least(f"direction {name}: Spearman with its own measure", monotone, 0.95, f"by {how}"))
        worst, effect = _largest_effect(name, {key: read_out for key, (_, read_out) in curves.items()})
        also, blurred = _largest_effect(name, {key: by_eye for key, (by_eye, _) in curves.items()})
        note = f"on {worst}; by MediaPipe {blurred:.2f} on {also}"
        rows.append(at_most(f"direction {name}: largest effect on another", effect, 0.25, note))
    return rows


def mixing(bench: Bench) -> list[Row]:
    """Fine rows leave landmarks, coarse rows leave skin colour."""
    n = bench.count(64)
    first, second = bench.random_latents(n, psi=0.7), bench.random_latents(n, psi=0.7)
    split = bench.pack.bands["coarse"][1]
    moved, tinted = [], []
    own = bench.draw(first)
    for a, b, picture in zip(first, second, own, strict=True):
        fine = bench.draw(style_mix(a, b, (split, bench.pack.num_ws))[None])[0]
        coarse = bench.draw(style_mix(a, b, (0, split))[None])[0]
        found, after, other = bench.find(picture), bench.find(fine), bench.find(coarse)
        if found is not None and after is not None:
            moved.append(landmark_error(after, found))
        if found is not None and other is not None:
            tinted.append(np.linalg.norm(skin_lab(picture, found) - skin_lab(coarse, other)))
    return [
        at_most("mixing: fine rows move landmarks, inter-ocular distances", float(np.mean(moved)), 0.03),
        at_most("mixing: coarse rows change skin, dE", float(np.mean(tinted)), 5.0),
    ]


def second_way(bench: Bench) -> list[Row]:
    """Generator and shader draw the same latent alike."""
    n = bench.count(200)
    w_plus = bench.random_latents(n, psi=0.7)
    errors = []
    for picture, p in zip(bench.draw(w_plus), bench.pack.read_out(w_plus), strict=True):
        made, true = bench.find(picture), bench.find(bench.renderer.render(p))
        if made is not None and true is not None:
            errors.append(landmark_error(made, true))
    name = f"generator and shader on {n} random W+: landmarks apart, inter-ocular distances"
    return [at_most(name, float(np.mean(errors)), 0.03, f"{len(errors)} with two faces found")]


def latency(bench: Bench) -> list[Row]:
    """Median time of one run on this machine, on the pack's own back-end and threads."""
    rows = []
    spec = bench.pack.manifest.encoder
    assert spec is not None
    crop = np.zeros((1, 3, spec.input_size, spec.input_size), np.float32)
    landmarks = np.zeros((1, 478, 3), np.float32) + 0.5
    w_avg = bench.pack.w_avg[None].copy()
    timed: list[tuple[str, float, Callable[[], object]]] = [
        ("generator", 8.0, lambda: bench.pack.synthesize(w_avg)),
        ("encoder", 6.0, lambda: bench.pack.encode(crop, landmarks)),
        *_refinement(bench, crop[0], landmarks[0], w_avg[0]),
    ]
    for name, goal, run in timed:
        times = []
        for _ in range(LATENCY_RUNS):
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
        note = f"{bench.pack.backend.name}, p5 {np.percentile(times, 5):.1f} p95 {np.percentile(times, 95):.1f}"
        rows.append(at_most(f"{name}, median ms", float(np.median(times)), goal, note))
    return rows


def _refinement(
    bench: Bench, crop: NDArray[np.float32], landmarks: NDArray[np.float32], w_plus: NDArray[np.float32]
) -> list[tuple[str, float, Callable[[], object]]]:
    """The whole refinement of one face, where the pack has it."""
    if not can_refine(bench.pack):
        return []
    return [("refinement at arrival", 300.0, lambda: refine(bench.pack, crop, landmarks, w_plus))]


def _swept(p: NDArray[np.float32], name: str, levels: Sequence[float]) -> NDArray[np.float32]:
    swept = np.repeat(p[None], len(levels), axis=0)
    swept[:, INDEX[name]] = np.clip(levels, LOW[INDEX[name]], HIGH[INDEX[name]])
    return swept


def _sweep(
    bench: Bench, p: NDArray[np.float32], name: str, levels: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """MediaPipe's measure over a sweep, by generator and by shader; None where it lost the face."""
    swept = _swept(p, name, levels)
    made, true = [], []
    for picture, row in zip(bench.draw(bench.latents_of(swept)), swept, strict=True):
        by_generator, by_shader = bench.find(picture), bench.find(bench.renderer.render(row))
        if by_generator is None or by_shader is None:
            return None
        made.append(measures(by_generator)[name])
        true.append(measures(by_shader)[name])
    if np.ptp(true) < 1e-3 or np.ptp(made) < 1e-6:
        return None
    return np.array(made), np.array(true)


Curve = dict[str, NDArray[np.float64]]


def _curves(bench: Bench, name: str, bases: NDArray[np.float32]) -> tuple[Curve, Curve]:
    """Measures along one direction, averaged over people: by MediaPipe (those it sees), and by the readout."""
    axis = bench.pack.directions[name]
    amounts = np.linspace(axis.low, axis.high, STEPS)
    by_eye: list[list[dict[str, float]]] = []
    by_readout = []
    for base in bases:
        w_plus = (base[None] + amounts[:, None, None] * axis.vector[None]).astype(np.float32)
        by_readout.append(bench.pack.read_out(w_plus))
        faces = [bench.find(picture) for picture in bench.draw(w_plus)]
        if all(face is not None for face in faces):
            by_eye.append([measures(face) for face in faces if face is not None])
    read = np.mean(by_readout, axis=0).astype(np.float64)
    seen = {
        key: np.mean([[step[key] for step in person] for person in by_eye], axis=0)
        for key in FIFTEEN
        if key not in UNSEEN and by_eye
    }
    return seen, {key: read[:, INDEX[PARAMETER.get(key, key)]] for key in FIFTEEN}


def _largest_effect(name: str, curves: dict[str, Curve]) -> tuple[str, float]:
    """Which other feature the direction moves most, as a part of what that feature's own direction does."""
    effects = {
        key: float(np.ptp(values)) / max(float(np.ptp(curves[key][key])), 1e-6)
        for key, values in curves[name].items()
        if key != name and key in curves[key]
    }
    worst = max(effects, key=lambda key: effects[key], default=name)
    return worst, effects.get(worst, 0.0)
