"""Photographs of every kind people bring: read right, or refused with one sentence."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from installation.errors import MissingExtra, PhotographError
from installation.studio.photograph import BEHIND, MAX_SIDE, find_photographs, read_photograph

ORIENTATION = 0x0112


def quarters(width: int = 96, height: int = 80) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (250, 10, 10)
    pixels[: height // 2, width // 2 :] = (10, 250, 10)
    pixels[height // 2 :, : width // 2] = (10, 10, 250)
    pixels[height // 2 :, width // 2 :] = (250, 250, 250)
    return pixels


def packed(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def near(pixels: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(float) - expected).mean() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("PPM", {}),
        ("GIF", {}),
        ("JPEG", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 95}),
        ("JPEG2000", {}),
    ],
)
def test_every_usual_format_is_read(kind, options):
    photograph = read_photograph(packed(Image.fromarray(quarters()), kind, **options))
    near(photograph.pixels, quarters(), 3.0)
    assert photograph.pixels.dtype == np.uint8
    assert photograph.kind == kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phones_note_is_honoured_however_it_held_the_picture(orientation):
    # What a camera stores, for a scene that is `quarters` upright (EXIF 2.32: where row 0 and column 0 lie).
    upright = quarters()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    photograph = read_photograph(packed(image, "JPEG", quality=95, exif=exif))
    near(photograph.pixels, upright, 3.0)
    assert photograph.size_wh == (96, 80)


def test_a_broken_note_is_no_broken_picture():
    whole = packed(Image.fromarray(quarters()), "JPEG", quality=95)
    nonsense = b"Exif\0\0II*\0\xff\xff\xff\xff" + os.urandom(40)
    block = b"\xff\xe1" + struct.pack(">H", len(nonsense) + 2) + nonsense
    near(read_photograph(whole[:2] + block + whole[2:]).pixels, quarters(), 3.0)


def test_print_shops_and_scanners():
    cmyk = read_photograph(packed(Image.fromarray(quarters()).convert("CMYK"), "JPEG", quality=95))
    near(cmyk.pixels, quarters(), 6.0)
    assert "converted from CMYK" in cmyk.notes
    grey = np.linspace(0, 65535, 96 * 80).reshape(80, 96)
    sixteen = read_photograph(packed(Image.fromarray(grey.astype(np.uint16)), "PNG"))
    near(sixteen.pixels, np.repeat((grey / 257.0)[..., None], 3, axis=2), 1.0)
    twelve = read_photograph(packed(Image.fromarray((grey / 16.01).astype(np.uint16)), "TIFF"))
    near(twelve.pixels, np.repeat((grey / 257.0)[..., None], 3, axis=2), 1.5)
    floats = Image.fromarray((grey / 65535.0).astype(np.float32))
    near(read_photograph(packed(floats, "TIFF")).pixels, np.repeat((grey / 257.0)[..., None], 3, axis=2), 1.0)


def png_of_sixteen_bits(rgb: np.ndarray) -> bytes:
    """A PNG with three channels of 16 bits, which Pillow reads and does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    head = struct.pack(">IIBBBBB", rgb.shape[1], rgb.shape[0], 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_colour_of_sixteen_bits():
    photograph = read_photograph(png_of_sixteen_bits(quarters().astype(np.uint16) * 257))
    near(photograph.pixels, quarters(), 1.0)


def test_what_is_transparent_lies_on_grey():
    pixels = np.dstack([quarters(), np.full((80, 96), 255, np.uint8)])
    pixels[:, :48, 3] = 0
    photograph = read_photograph(packed(Image.fromarray(pixels), "PNG"))
    assert (photograph.pixels[:, :48] == BEHIND).all()
    near(photograph.pixels[:, 48:], quarters()[:, 48:], 0.0)
    palette = Image.fromarray(quarters()).quantize(8)
    palette.info["transparency"] = palette.getpixel((0, 0))
    one = read_photograph(packed(palette, "PNG", transparency=palette.getpixel((0, 0))))
    assert tuple(one.pixels[2, 2]) == (BEHIND,) * 3


def test_of_a_moving_picture_the_first_is_taken():
    frames = [Image.fromarray(quarters()), Image.fromarray(255 - quarters())]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        photograph = read_photograph(packed(frames[0], kind, save_all=True, append_images=frames[1:], **options))
        near(photograph.pixels, quarters(), 3.0)
        assert photograph.notes == ("first of 2 pictures",)


def test_a_colour_profile_is_followed():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with_srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(quarters())
    near(read_photograph(packed(image, "PNG", icc_profile=with_srgb)).pixels, quarters(), 0.0)
    near(read_photograph(packed(image, "PNG", icc_profile=lab)).pixels, quarters(), 0.0)  # senseless for RGB: left
    near(read_photograph(packed(image, "PNG", icc_profile=b"no profile" * 20)).pixels, quarters(), 0.0)


def test_heic_is_read_where_its_package_is():
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    photograph = read_photograph(packed(Image.fromarray(quarters()), "HEIF", quality=95), name="phone.heic")
    near(photograph.pixels, quarters(), 5.0)
    assert photograph.kind == "HEIF"


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"phone.heic, which is HEIC, needs .*machine-reflections\[photographs\]"):
        read_photograph(b"\0\0\0\x18ftypheic" + bytes(64), name="phone.heic")


def test_large_pictures_are_reduced():
    wide = np.repeat(np.repeat(quarters(96, 80), 40, axis=0), 40, axis=1)
    for kind in ("PNG", "JPEG"):
        photograph = read_photograph(packed(Image.fromarray(wide), kind))
        assert max(photograph.pixels.shape) == MAX_SIDE
        assert photograph.size_wh == (3840, 3200)
        assert np.abs(photograph.pixels[100, 100].astype(int) - (250, 10, 10)).max() < 6


def bomb() -> bytes:
    """A PNG of a few hundred kilobytes that says it is 30,000 pixels square."""
    head = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(10_000_000))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no picture that can be read"),
        (b"<svg></svg>", "is no picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "is no picture that can be read"),
        (os.urandom(5000), "is no picture that can be read"),
        (packed(Image.fromarray(quarters()), "JPEG")[:700], "is damaged"),
        (packed(Image.fromarray(quarters()), "PNG")[:120], "is damaged"),
        (packed(Image.fromarray(quarters(60, 40)), "PNG"), "60 x 40 pixels, too few for a face"),
        (bomb(), "would unpack to more than 89 megapixels"),
    ],
)
def test_what_cannot_be_read_is_refused_with_one_sentence(data, words):
    with pytest.raises(PhotographError, match=words) as caught:
        read_photograph(data, name="gift.jpg")
    message = str(caught.value)
    assert message.startswith("gift.jpg ")
    assert "\n" not in message
    assert len(message) < 240


@settings(max_examples=120)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"]), st.data())
def test_no_damage_ends_in_anything_but_a_picture_or_a_sentence(kind, data):
    whole = bytearray(packed(Image.fromarray(quarters()), kind))
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(whole)))
    try:
        photograph = read_photograph(bytes(whole[:cut]), name="x")
    except PhotographError:
        return
    assert photograph.pixels.ndim == 3
    assert photograph.pixels.shape[2] == 3
    assert max(photograph.pixels.shape) <= MAX_SIDE


def test_files_that_are_no_files(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotographError, match=r"pipe.jpg is not a file"):
        read_photograph(tmp_path / "pipe.jpg")
    with pytest.raises(PhotographError, match="there is no photograph"):
        find_photographs([tmp_path / "gone.jpg"])
    with pytest.raises(PhotographError, match="holds no pictures"):
        find_photographs([tmp_path.joinpath("empty")] if tmp_path.joinpath("empty").mkdir() is None else [])


def test_folders_are_searched_and_nothing_is_taken_twice(tmp_path: Path):
    for name in ("b.JPG", "a.png", "deep/c.heic", ".hidden/d.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = find_photographs([tmp_path, tmp_path / "a.png"])
    assert [str(p.relative_to(tmp_path)) for p in found] == ["a.png", "b.JPG", "deep/c.heic"]
