"""The models: networks, importers, export, back-ends, packs, targets, procedural faces, training."""

import sys

# `import openvino` reports every use to its maker over the network and writes to ~/intel (seen with strace,
# openvino 2026.4). With its telemetry module barred it takes its own stub: nothing may leave a gallery unasked.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
