"""`mirror models list | show | import | build | verify | train | style`: the packs, and how they come in.

Only the parser and the short commands are here; the heavy work is imported when it is asked for. To add a command: a
function that takes the arguments behind its name and returns the exit code, and a row in `COMMANDS`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from engines.runtime.backends import PARTS
from engines.runtime.manifest import Manifest, read_manifest
from engines.runtime.pack import DEFAULT_PACK, load_pack
from engines.runtime.targets import list_targets
from installation.errors import EngineError, MirrorError, MissingExtra
from installation.runtime.lazy import call
from installation.runtime.progress import Progress

PACKS = DEFAULT_PACK.parent
"""Where packs live that the configuration may call by name."""


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code.

    Raises:
        MirrorError: Where something is wrong that a person can mend.
    """
    arguments = list(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mirror models COMMAND ...\n")
        print("\n".join(f"  {name:<8} {text}" for name, (_, text) in COMMANDS.items()))
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        raise EngineError(f"there is no command 'mirror models {arguments[0]}'; choose of {', '.join(COMMANDS)}")
    return COMMANDS[arguments[0]][0](arguments[1:])


def list_packs(arguments: Sequence[str]) -> int:
    """Print one line for each pack."""
    parser = argparse.ArgumentParser(prog="mirror models list", description="The packs that are here.")
    parser.add_argument("folders", nargs="*", type=Path, default=[PACKS], help="where to look (engines/packs)")
    options = parser.parse_args(arguments)
    packs = sorted(path.parent for folder in options.folders for path in folder.glob("[!.]*/pack.json"))
    if not packs:
        print("no packs; bring weights with: mirror models import FILE", file=sys.stderr)
    for pack in packs:
        try:
            print(_line(pack, read_manifest(pack)))
        except MirrorError as error:
            print(f"{pack.name:<20} {error}")
    return 0


def show(arguments: Sequence[str]) -> int:
    """Print everything that a pack says about itself."""
    parser = argparse.ArgumentParser(prog="mirror models show", description="What a pack is and where it came from.")
    parser.add_argument("pack", nargs="?", default="default", help="a folder, or a name in engines/packs (default)")
    parser.add_argument("--json", action="store_true", help="the manifest as it is")
    options = parser.parse_args(arguments)
    pack = pack_folder(options.pack)
    manifest = read_manifest(pack)
    if options.json:
        print((pack / "pack.json").read_text("utf-8"), end="")
        return 0
    print(_line(pack, manifest))
    print(f"  folder      {pack}")
    bands = ", ".join(f"{name} {rows[0]}-{rows[1] - 1}" for name, rows in manifest.bands.items())
    print(f"  latent      W+ {manifest.num_ws} x {manifest.w_dim}, z {manifest.z_dim}; rows: {bands}")
    encoder = manifest.encoder
    if encoder is None:
        print("  encoder     none: it cannot show a visitor")
    else:
        landmarks = " and landmarks" if encoder.landmarks else ""
        print(f"  encoder     crops of {encoder.input_size} px{landmarks}")
    print(f"  licence     {manifest.licence.name}{'' if manifest.licence.commercial_use else ' (no commercial use)'}")
    for name, spec in manifest.directions.items():
        print(f"  direction   {name}: {spec.low:g} to {spec.high:g} {spec.unit}")
    print(f"  targets     {', '.join(list_targets(pack / 'targets')) or 'none'}")
    print(f"  provenance  {json.dumps(manifest.provenance, ensure_ascii=False)}")
    size = sum((pack / name).stat().st_size for name in manifest.files if (pack / name).is_file())
    print(f"  size        {size / 1e6:.0f} MB in {len(manifest.files)} files")
    return 0


def import_files(arguments: Sequence[str]) -> int:
    """Turn a checkpoint into a pack, or add directions to one."""
    parser = argparse.ArgumentParser(
        prog="mirror models import",
        description="Bring in public weights: pSp, e4e, rosinality's and NVIDIA's StyleGAN2 (.pt, .pkl, .safetensors), "
        "then directions (.pt, .npy, .npz) and projected latents. Nothing in the files is executed.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a checkpoint, then its directions if any")
    parser.add_argument("--into", metavar="PACK", help="add directions to this pack instead of making one")
    parser.add_argument("--name", help="the pack's name; the file's if not given")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to make (engines/packs/NAME)")
    parser.add_argument("--encoder", choices=("psp", "e4e"), help="which encoder it is, where the file does not say")
    parser.add_argument("--licence", metavar="NAME", help="licence of the weights, if you know it")
    parser.add_argument("--licence-file", type=Path, metavar="F", help="its text")
    parser.add_argument("--commercial-use", action="store_true", help="the named licence allows commercial use")
    parser.add_argument("--replace", action="store_true", help="take the place of a pack of that name")
    options = parser.parse_args(arguments)
    # A termination must unwind like Ctrl-C does, or the half-written folder would stay until the next import.
    signal.signal(signal.SIGTERM, _terminated)
    if (options.commercial_use or options.licence_file) and not options.licence:
        raise EngineError("--commercial-use and --licence-file speak about a licence: name it with --licence NAME")
    files: list[Path] = options.files
    if options.into is None:
        pack = _import_checkpoint(files[0], options)
        files = files[1:]
    else:
        pack = pack_folder(options.into)
    for path in files:
        added = _directions(path, pack)
        print(f"{pack.name}: added {', '.join(added)} from {path.name}")
    return 0


def build(arguments: Sequence[str]) -> int:
    """Compile and check every engine of a pack ahead of time, so that the doors open at once."""
    parser = argparse.ArgumentParser(prog="mirror models build", description="Compile a pack before the doors open.")
    parser.add_argument("pack", nargs="?", default="default", help="a folder, or a name in engines/packs (default)")
    parser.add_argument("--backend", default="auto", help="auto, tensorrt, cuda, openvino or torch")
    options = parser.parse_args(arguments)
    with load_pack(pack_folder(options.pack), options.backend, announce=lambda text: print(text, flush=True)) as pack:
        parts = [part for part in PARTS if f"{part}.onnx" in pack.manifest.files]
        work = [(part, batch) for part in parts for batch in sorted({1, *pack.manifest.batches})]
        with Progress(len(work), "building") as progress:
            for part, batch in work:
                pack.engine(part, batch)
                progress.advance(1, f"{part} (batch {batch})")
        proof = "each gives the golden vectors" if (pack.path / "golden.npz").is_file() else "without golden vectors"
        print(f"{pack.name}: {len(work)} engines ready on {pack.backend.name}, {proof}")
    return 0


def verify(arguments: Sequence[str]) -> int:
    """Compare a pack's networks on every back-end with its golden vectors; measure a portrait pack as well."""
    parser = argparse.ArgumentParser(prog="mirror models verify", description="Does a pack draw what it should?")
    parser.add_argument("pack", nargs="?", default="default", help="a folder, or a name in engines/packs (default)")
    parser.add_argument("--footage", type=Path, metavar="DIR", help="films of people, to measure a portrait pack on")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full numbers of samples (1)")
    parser.add_argument("--parity-only", action="store_true", help="leave a portrait pack's figures out")
    options = parser.parse_args(arguments)
    pack = pack_folder(options.pack)
    try:
        from engines.export.verify import HEADER, verify_pack
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "models", "verifying a pack") from error
    print(HEADER)
    missed = sum(not row.ok for row in verify_pack(pack, lambda row: print(row, flush=True)))
    if read_manifest(pack).provenance.get("kind") == "portrait" and not options.parity_only:
        missed += _portrait_figures(pack, options)
    print("all is well" if not missed else f"{missed} not as it should be")
    return 1 if missed else 0


def train(arguments: Sequence[str]) -> int:
    """Make the default pack from nothing but procedural portraits."""
    try:
        return int(call("engines.training.cli:main", list(arguments)))
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "models", "training") from error


def style(arguments: Sequence[str]) -> int:
    """Bring in, train, draw and time style networks."""
    return int(call("engines.style.cli:main", list(arguments)))


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "list": (list_packs, "the packs that are here"),
    "show": (show, "what a pack is and where it came from"),
    "import": (import_files, "bring in public weights, directions, projected latents"),
    "build": (build, "compile and check every engine before the doors open"),
    "verify": (verify, "compare every back-end with the pack's golden vectors"),
    "train": (train, "make the default pack: render, train, write"),
    "style": (style, "paint in the style of any picture: import, train, sheet, time"),
}
"""Command -> (function taking the arguments behind it, help)."""


def pack_folder(text: str) -> Path:
    """Find a pack by path or by name.

    Raises:
        EngineError: If there is none.
    """
    for folder in (Path(text).expanduser(), PACKS / text):
        if (folder / "pack.json").is_file():
            return folder.resolve()
    raise EngineError(f"there is no pack {text!r}, neither as a folder nor in {PACKS}; `mirror models list` shows them")


def _import_checkpoint(source: Path, options: argparse.Namespace) -> Path:
    try:
        from engines.importers.checkpoint import import_checkpoint, pack_name
        from engines.importers.licences import named_licence, warning
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "models", "importing weights") from error
    licence = None
    if options.licence:
        text = options.licence_file.read_text("utf-8") if options.licence_file else None
        licence = named_licence(options.licence, text, options.commercial_use)
    name = options.name or pack_name(source)
    made = import_checkpoint(
        source,
        options.out or PACKS / name,
        name=name,
        encoder_kind=options.encoder,
        licence=licence,
        replace=options.replace,
    )
    print(f"{made.pack}: {made.layout}, {made.resolution} px")
    for note in made.notes:
        print(f"note: {note}")
    if not made.has_encoder:
        print("note: a generator alone: it has no encoder and cannot show a visitor")
    if text := warning(made.licence):
        print(f"warning: {text}", file=sys.stderr)
    return made.pack


def _directions(path: Path, pack: Path) -> tuple[str, ...]:
    from engines.importers.directions import add_to_pack

    added = add_to_pack(path, pack)
    return (*added.directions, *(f"the target {name}" for name in added.targets))


def _portrait_figures(pack: Path, options: argparse.Namespace) -> int:
    try:
        from engines.training.verify import report
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "models", "measuring a portrait pack") from error
    rows = report(pack, options.footage, scale=options.scale, show=lambda row: print(row, flush=True))
    return sum(row.met is False for row in rows)


def _line(pack: Path, manifest: Manifest) -> str:
    encoder = "encoder" if manifest.encoder else "no encoder"
    shape = f"{manifest.resolution:>4} px  {manifest.num_ws:>2} rows"
    return f"{pack.name:<20} {shape}  {encoder:<10}  {manifest.licence.name}"


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
