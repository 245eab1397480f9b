"""What the kiosk tells about itself: one dictionary for /healthz and the docent page, and metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
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


def compose(
    *,
    wanted: Wanted,
    paused: bool,
    drawing: bool,
    camera: CameraFacts | None,
    status: Mapping[str, Any],
    restarts: Mapping[str, int],
    pids: Mapping[str, int | None],
    rss_mb: Mapping[str, float],
    uptime_s: float,
    next_change: str,
    log_lost: int,
    config_fault: str,
) -> dict[str, Any]:
    """Put it together. `ok`: the screen shows what it should, and a wanted camera is live."""
    camera_state = camera.state.name.lower() if camera is not None else "opening"
    problems = []
    if config_fault:
        problems.append(config_fault)
    if wanted.mode is Mode.SAFE:
        problems.append("safe mode: the show failed too often; it is tried again from time to time")
    elif not drawing:
        problems.append("the show does not draw")
    if wanted.eye and camera_state != "live":
        problems.append(camera.message if camera is not None and camera.message else "the camera gives no picture")
    elif wanted.eye and camera is not None and camera.message:
        problems.append(camera.message)
    if log_lost:
        problems.append(f"{log_lost} log lines could not be written; is the disk full?")
    live = camera is not None and camera.state is SourceState.LIVE
    ok = wanted.mode is not Mode.SAFE and drawing and (live or not wanted.eye)
    return {
        "ok": ok,
        "mode": str(wanted.mode),
        "paused": paused,
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
        "rss_mb": {name: round(value, 1) for name, value in rss_mb.items()},
        "uptime_s": round(uptime_s, 1),
        "next_change": next_change,
        "metrics": _metrics(ok, wanted, paused, drawing, camera, status, restarts, rss_mb, uptime_s),
    }


def _metrics(
    ok: bool,
    wanted: Wanted,
    paused: bool,
    drawing: bool,
    camera: CameraFacts | None,
    status: Mapping[str, Any],
    restarts: Mapping[str, int],
    rss_mb: Mapping[str, float],
    uptime_s: float,
) -> dict[str, float]:
    metrics: dict[str, float] = {
        "mirror_ok": ok,
        "mirror_paused": paused,
        "mirror_drawing": drawing,
        "mirror_uptime_seconds": uptime_s,
        "mirror_frames_captured_total": camera.captured if camera is not None else 0,
        "mirror_camera_fps": camera.fps if camera is not None else 0.0,
        "mirror_frames_displayed_total": status.get("displayed", 0),
        "mirror_inferences_total": status.get("inferences", 0),
        "mirror_visits_total": status.get("visits", 0),
        "mirror_latency_milliseconds": status.get("latency_ms", 0.0),
    }
    metrics |= {f"mirror_mode{{mode={mode}}}": mode is wanted.mode for mode in Mode}
    metrics |= {f"mirror_restarts_total{{process={name}}}": count for name, count in restarts.items()}
    metrics |= {f"mirror_resident_megabytes{{process={name}}}": value for name, value in rss_mb.items()}
    return metrics
