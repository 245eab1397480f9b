"""The labelling page: one picture after the other, five keys, served on this machine alone.

Pictures come in an order of the labeller's own, by number and without their words, so that nobody labels a prompt
instead of a face. Each answer is on the disk before the next picture is shown.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from engines.audit.faces import FOLDER as FACES
from engines.audit.labels import add_label, label_file, read_labelling, read_labels
from engines.runtime.targets import LABELS
from engines.targets.pictures import SUFFIXES
from installation.errors import ConfigError, EngineError
from installation.runtime.pages import (
    file_routes,
    is_loopback,
    listen,
    need_web,
    page_server,
    parsed,
    same_origin,
    strict_headers,
)

PAGE = Path(__file__).with_name("page")
HOST = "127.0.0.1"
_MAX_MESSAGE = 1024
_FILES = {"/": PAGE / "label.html", "/label.js": PAGE / "label.js", "/label.css": PAGE / "label.css"}
_KINDS = {".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff"}


def label(options: argparse.Namespace) -> int:
    """Serve the page until somebody presses Ctrl-C; then say how far it is and how far labellers agree.

    Raises:
        ConfigError: If there are no pictures, or the labeller's name or file cannot be used.
        MissingExtra: Without starlette, uvicorn and websockets.
        DeviceError: If the port is taken.
    """
    need_web("the labelling page")
    desk = Desk(options.images or options.folder / FACES, label_file(options.folder, options.name))
    with listen(HOST, options.port, "close the other program or give another --port") as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        print(f"labelling page for {options.name}: {address}  (Ctrl-C ends)", flush=True)
        page_server(desk.app(), max_message=_MAX_MESSAGE).run(sockets=[listener])
    print(f"{len(desk.given)} of {len(desk.pictures)} labelled in {desk.file}")
    labelling = read_labelling(options.folder)
    for x in labelling.agreements if labelling else ():
        print(f"{x.a} and {x.b}: kappa {x.kappa:.2f} [{x.low:.2f}, {x.high:.2f}] on {x.n} pictures")
    return 0


class Desk:
    """One labeller's pictures and answers.

    Args:
        folder: The pictures.
        file: Where answers are added.

    Attributes:
        pictures: In this labeller's order, the same one every time.
        given: Picture's file name -> label.

    Raises:
        ConfigError: If the folder holds no pictures, or the file is not valid.
    """

    def __init__(self, folder: Path, file: Path) -> None:
        self.file = file
        self.given = read_labels(file)
        found = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not found:
            raise ConfigError(f"{folder} holds no pictures to label; run the audit first, or give --images")
        random.Random(file.stem).shuffle(found)
        self.pictures = tuple(found)

    def state(self) -> dict[str, Any]:
        """What the page shows: the labels, and for each picture by number the label given, or ""."""
        given = [self.given.get(picture.name, "") for picture in self.pictures]
        return {"labeller": self.file.stem, "labels": LABELS, "given": given}

    def answer(self, message: object) -> dict[str, Any]:
        """Take an answer: {"picture": number, "label": one of the five or ""}; gives what went wrong, or what is "
        "kept."""
        asked = message if isinstance(message, dict) else {}
        number, text = asked.get("picture"), asked.get("label")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self.pictures):
            return {"refused": "there is no such picture"}
        if not isinstance(text, str):
            return {"refused": "there is no such label"}
        name = self.pictures[number].name
        try:
            add_label(self.file, name, text)
        except (ConfigError, EngineError) as error:
            return {"refused": str(error)}
        self.given[name] = text
        if not text:
            del self.given[name]
        return {"kept": text, "picture": number}

    def app(self) -> Any:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route

        headers = strict_headers(img_src="'self' data:")

        def refused(request: Request) -> bool:
            """Whether somebody asks by another name than this machine's, or from another page."""
            host = request.headers.get("host", "")
            return not is_loopback(host.rpartition(":")[0]) or not same_origin(request.headers.get("origin"), host)

        async def state(request: Request) -> Response:
            return Response(status_code=403) if refused(request) else JSONResponse(self.state(), headers=headers)

        async def picture(request: Request) -> Response:
            number = int(request.path_params["number"])
            if refused(request) or number >= len(self.pictures):
                return Response(status_code=404)
            path = self.pictures[number]
            kind = _KINDS.get(path.suffix.lower(), "image/jpeg")
            return Response(path.read_bytes(), media_type=kind, headers=headers)

        async def answer(request: Request) -> Response:
            body = await request.body()
            if refused(request) or len(body) > _MAX_MESSAGE:
                return Response(status_code=403)
            return JSONResponse(self.answer(parsed(body.decode("utf-8", "replace"))), headers=headers)

        return Starlette(
            routes=[
                *file_routes(_FILES, headers),
                Route("/state", state, methods=["GET"]),
                Route("/picture/{number:int}", picture, methods=["GET"]),
                Route("/label", answer, methods=["POST"]),
            ]
        )
