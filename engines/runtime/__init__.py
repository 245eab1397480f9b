"""The part of `engines` that the show imports: packs and back-ends. No torch here."""

from engines.runtime.pack import DEFAULT_PACK, Direction, Pack, load_pack

__all__ = ["DEFAULT_PACK", "Direction", "Pack", "load_pack"]
