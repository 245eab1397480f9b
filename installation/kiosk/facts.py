"""What the kiosk tells about itself: one dictionary for /healthz and the docent page, and metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from installation.core.kiosk import Mode, Wanted
from installation.devices.source import SourceState


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """The eye's newest record, without the picture."""

    state: SourceState
    message: str
    captured: int
    fps: float
    faces: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the kiosk itself stands.

    Attributes:
        wanted: What the plan asks for.
        paused: Whether the camera is closed by hand.
        drawing: Whether the show draws.
        faults: What is wrong with the config or the machine, in sentences.
        last_failure: Why the show ended last; empty if it has not failed.
        rss_mb: Resident memory by process.
        uptime_s: Seconds since the supervisor's start.
        next_change: When the doors open or close next.
        log_lost: Lines that could not be written.
    """

    wanted: Wanted
    paused: bool
    drawing: bool
    faults: Sequence[str]
    last_failure: str
    rss_mb: Mapping[str, float]
    uptime_s: float
    next_change: str
    log_lost: int


def compose(
    standing: Standing,
    *,
    camera: CameraFacts | None,
    status: Mapping[str, Any],
    restarts: Mapping[str, int],
    pids: Mapping[str, int | None],
) -> dict[str, Any]:
    """Put it together. `ok`: the screen shows what it should, and a wanted camera is live."""
    wanted, drawing = standing.wanted, standing.drawing
    camera_state = camera.state.name.lower() if camera is not None else "opening"
    problems = list(standing.faults)
    why = f": {standing.last_failure}" if standing.last_failure and standing.last_failure not in standing.faults else ""
    if wanted.mode is Mode.SAFE:
        problems.append(f"safe mode, the show is tried again from time to time{why}")
    elif not drawing:
        problems.append(f"the show does not draw{why}")
    if wanted.eye and camera_state != "live":
        problems.append(camera.message if camera is not None and camera.message else "the camera gives no picture")
    elif wanted.eye and camera is not None and camera.message:
        problems.append(camera.message)
    if standing.log_lost:
        problems.append(f"{standing.log_lost} log lines could not be written; is the disk full?")
    live = camera is not None and camera.state is SourceState.LIVE
    ok = wanted.mode is not Mode.SAFE and drawing and (live or not wanted.eye) and not standing.faults
    return {
        "ok": ok,
        "mode": str(wanted.mode),
        "paused": standing.paused,
        "drawing": drawing,
        "problems": problems,
        "camera": {
            "state": camera_state if wanted.eye else "closed",
            "message": camera.message if camera is not None else "",
            "captured": camera.captured if camera is not None else 0,
            "fps": round(camera.fps, 1) if camera is not None else 0.0,
            "faces": camera.faces if camera is not None else 0,
        },
        "show": {key: value for key, value in status.items() if key not in ("resume", "dwell_s")},
        "restarts": dict(restarts),
        "pids": dict(pids),
        "rss_mb": {name: round(value, 1) for name, value in standing.rss_mb.items()},
        "uptime_s": round(standing.uptime_s, 1),
        "next_change": standing.next_change,
        "metrics": _metrics(ok, standing, camera, status, restarts),
    }


def _metrics(
    ok: bool,
    standing: Standing,
    camera: CameraFacts | None,
    status: Mapping[str, Any],
    restarts: Mapping[str, int],
) -> dict[str, float]:
    metrics: dict[str, float] = {
        "mirror_ok": ok,
        "mirror_paused": standing.paused,
        "mirror_drawing": standing.drawing,
        "mirror_uptime_seconds": standing.uptime_s,
        "mirror_frames_captured_total": camera.captured if camera is not None else 0,
        "mirror_camera_fps": camera.fps if camera is not None else 0.0,
        "mirror_frames_displayed_total": status.get("displayed", 0),
        "mirror_inferences_total": status.get("inferences", 0),
        "mirror_visits_total": status.get("visits", 0),
        "mirror_latency_milliseconds": status.get("latency_ms", 0.0),
    }
    metrics |= {f"mirror_mode{{mode={mode}}}": mode is standing.wanted.mode for mode in Mode}
    metrics |= {f"mirror_restarts_total{{process={name}}}": count for name, count in restarts.items()}
    metrics |= {f"mirror_resident_megabytes{{process={name}}}": value for name, value in standing.rss_mb.items()}
    return metrics
