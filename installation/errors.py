"""What can go wrong, told to a person.

Each message says what was expected, what was found, and what to do. `transient` tells whether trying
again can help; `exit_code` is what the command line returns. Tracebacks are for bugs, not for these.
"""

from __future__ import annotations


class MirrorError(Exception):
    """Base of every error that a person can act on."""

    exit_code = 1
    transient = False


class ConfigError(MirrorError):
    """config.toml or an option is wrong. The message lists every problem, one a line."""

    exit_code = 2


class DeviceError(MirrorError):
    """A camera, microphone, port or stream does not answer as asked. Retrying may help."""

    exit_code = 3
    transient = True


class EngineError(MirrorError):
    """A model pack, a network or a back-end cannot be used."""

    exit_code = 4


class DisplayError(MirrorError):
    """No window, no context, or a shader that does not compile."""

    exit_code = 5


class ShaderError(DisplayError):
    """A shader does not compile; the message has file, line and the driver's words."""


class MissingExtra(MirrorError):
    """An optional package is not installed. The message names the extra."""

    exit_code = 6

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'machine-reflections[{extra}]'"
        )


class PhotographError(MirrorError):
    """A photograph cannot be read, or shows no face."""

    exit_code = 7
