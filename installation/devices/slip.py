"""SLIP framing for OSC over a stream: a packet between END bytes (RFC 1055, with the double END of OSC 1.1)."""

from __future__ import annotations

_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdc", b"\xdd"


def slip_frame(packet: bytes) -> bytes:
    """Frame one packet."""
    return _END + packet.replace(_ESC, _ESC + _ESC_ESC).replace(_END, _ESC + _ESC_END) + _END


class SlipReader:
    """Cuts a stream into packets. A frame longer than `limit` bytes is dropped up to its END, and counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._skipping = False
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; give the packets that are complete. Empty frames are no packets."""
        *complete, rest = (bytes(self._held) + data).split(_END)
        self._held.clear()
        packets = []
        for frame in complete:
            if self._skipping:
                self._skipping = False
            elif len(frame) > 2 * self._limit:
                self.dropped += 1
            elif frame:
                packets.append(frame.replace(_ESC + _ESC_END, _END).replace(_ESC + _ESC_ESC, _ESC))
        if len(rest) > 2 * self._limit:  # escaping doubles a packet at most
            self._skipping = True
            self.dropped += 1
        elif not self._skipping:
            self._held += rest
        return packets
