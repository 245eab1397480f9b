"""Everything of one photograph: which files, what they hold, what they say of themselves, and every number."""

import json
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from installation.core.midway import BALANCE
from installation.display.pictures import SYNTHETIC_NOTE
from installation.errors import ConfigError, PhotographError
from installation.studio import painter, portrait
from installation.studio.order import PRODUCTS, Order
from installation.studio.workplace import Workplace

FIVE = ("strength", "leadership", "power", "femininity", "beauty")
SIDE = 128


@pytest.fixture(scope="module")
def origins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("origins")
    rng = np.random.default_rng(3)
    blue = np.clip(rng.normal((30, 60, 160), 25, (200, 300, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(blue).save(folder / "power.png")
    (folder / "beauty").mkdir()
    Image.fromarray(blue[..., ::-1]).save(folder / "beauty" / "first.jpg")
    return folder


@pytest.fixture(scope="module")
def made(people, origins, tmp_path_factory):
    """The portrait of one photograph with all products: (folder, its record)."""
    order = Order(pack="default", side=SIDE, origins=str(origins), amounts=(("power", 0.25),))
    folder = tmp_path_factory.mktemp("out") / "one"
    try:
        portrait.make_portraits(order, str(people / "one.jpg"), str(folder), "abc")
    finally:
        portrait.workplace(order).close()
        portrait.workplace.cache_clear()
    return folder, json.loads((folder / portrait.RECORD).read_text("utf-8"))


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_every_product_is_there_and_the_record_lists_each_file(made):
    folder, record = made
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {portrait.RECORD, *record["files"]}
    assert {"reflection.png", "series.png", "midway.png", "style-mix.png", "features.png", "origin.png"} <= files
    for number, name in enumerate(FIVE, 1):
        assert f"series/{number}-{name}.png" in files
        assert f"midway/{number}-{name}.png" in files
        assert {f"films/{number}-{name}.mp4", f"films/{number}-{name}.gif"} <= files
    assert {name for name in files if name.startswith("origin/")} == {"origin/1-power.png", "origin/2-beauty.png"}
    assert not list(folder.parent.glob(".*"))


def test_everything_says_that_it_is_synthetic(made):
    folder, record = made
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            assert image.info["Description"] == SYNTHETIC_NOTE
            assert "DigitalSourceType" in image.info["XML:com.adobe.xmp"]
    for path in folder.rglob("*.gif"):
        with Image.open(path) as image:
            assert image.info["comment"].decode() == SYNTHETIC_NOTE
    for path in folder.rglob("*.mp4"):
        with av.open(str(path)) as film:
            assert film.metadata["comment"] == SYNTHETIC_NOTE
    assert record["note"] == SYNTHETIC_NOTE


def test_the_numbers_remake_the_latent_to_the_bit(made):
    _, record = made
    latent = portrait.latents_of(record)
    assert latent.shape == (10, 64)
    assert np.asarray(record["face"]["w_plus"], np.float64).astype(np.float32).tobytes() == latent.tobytes()
    assert record["face"]["faces"] == 1
    assert abs(record["face"]["measures"]["yaw"]) < 15.0
    assert set(record["targets"]) == set(FIVE)
    assert len(record["photograph"]["sha256"]) == 64


def test_the_midway_is_balanced_and_the_artists_choice_takes_its_place(made):
    _, record = made
    midway = record["products"]["midway"]
    for name in FIVE:
        one = midway[name]
        assert 0.2 < one["proposed"] < 0.8
        assert (one["share_in_w_plus"] + one["share_in_landmarks"]) / 2 == pytest.approx(BALANCE, abs=1e-6)
        assert one["landmarks_seen"]
        assert one["chosen_by"] == ("artist" if name == "power" else "balance")
        assert one["amount"] == (0.25 if name == "power" else one["proposed"])


def test_a_series_picture_is_the_whole_morph_and_the_midway_lies_between(made):
    folder, _ = made
    margin = round(SIDE * 0.16)
    inside = np.s_[margin : margin + SIDE, margin : margin + SIDE]
    start = picture(folder / "reflection.png")
    whole, half = (picture(folder / kind / "5-beauty.png")[inside] for kind in ("series", "midway"))
    assert np.abs(whole - start).mean() > 3.0
    assert np.abs(half - start).mean() < np.abs(whole - start).mean()
    assert np.abs(half - whole).mean() < np.abs(whole - start).mean()


def test_films_go_from_the_reflection_to_the_target_and_rest(made):
    folder, record = made
    with av.open(str(folder / "films" / "5-beauty.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 25
    assert len(frames) == record["products"]["films"]["frames"] == 105
    margin = round(SIDE * 0.16)
    inside = np.s_[margin : margin + SIDE, margin : margin + SIDE]
    assert np.abs(frames[0][inside] - picture(folder / "reflection.png")).mean() < 8.0
    whole = picture(folder / "series" / "5-beauty.png")[inside]
    assert np.abs(frames[-1][inside] - whole).mean() < 8.0
    steps = [np.abs(b[inside] - a[inside]).mean() for a, b in pairwise(frames)]
    assert max(steps) < 6.0  # nothing jumps
    with Image.open(folder / "films" / "5-beauty.gif") as gif:
        assert gif.n_frames > 20
        assert gif.info["loop"] == 0
    assert (folder / "films" / "5-beauty.gif").stat().st_size < 600_000


def test_origins_bring_back_their_colours(made):
    folder, record = made
    assert set(record["products"]["origin"]) == {"power", "beauty"}
    margin = round(SIDE * 0.16)
    inside = np.s_[margin : margin + SIDE, margin : margin + SIDE]
    power, beauty = picture(folder / "origin/1-power.png")[inside], picture(folder / "origin/2-beauty.png")[inside]
    bluer = picture(folder / "series/3-power.png")[inside]
    assert (power[..., 2] - power[..., 0]).mean() > (bluer[..., 2] - bluer[..., 0]).mean() + 20.0
    assert beauty[..., 0].mean() > beauty[..., 2].mean() + 20.0


@pytest.mark.parametrize("num_ws", [8, 10, 14, 18])
def test_a_ladder_has_both_ends_and_every_bands_beginning(num_ws):
    cuts = painter.ladder(num_ws, (0, 4, 7))
    assert cuts[0] == num_ws
    assert cuts[-1] == 0
    assert cuts == sorted(set(cuts), reverse=True)
    assert {4, 7} <= set(cuts)
    assert len(cuts) <= painter.MIX_COLUMNS


def test_all_faces_or_the_chosen_one(people, tmp_path):
    order = Order(pack="default", side=SIDE, products=(), every=True)
    try:
        told = portrait.make_portraits(order, str(people / "two.png"), str(tmp_path / "two"), "abc")
        assert told["portraits"] == ["two", "two.face-2"]
        assert told["faces"] == 2
        quads = [
            json.loads((tmp_path / name / "portrait.json").read_text())["face"]["quad"] for name in told["portraits"]
        ]
        assert abs(np.mean(quads[0], axis=0)[0] - np.mean(quads[1], axis=0)[0]) > 300.0
        blank = tmp_path / "blank.png"
        Image.fromarray(np.full((300, 300, 3), 90, np.uint8)).save(blank)
        with pytest.raises(PhotographError, match="no face was found"):
            portrait.make_portraits(order, str(blank), str(tmp_path / "blank"), "abc")
        assert not (tmp_path / "blank").exists()
    finally:
        portrait.workplace(order).close()
        portrait.workplace.cache_clear()


@pytest.mark.parametrize("look", ["plain", "echo"])
def test_a_picture_does_not_depend_on_those_before_it(look):
    place = Workplace(Order(pack="default", side=SIDE, look=look))
    try:
        z = np.random.default_rng(4).normal(size=(6, place.pack.manifest.z_dim)).astype(np.float32)
        images = place.pack.synthesize(place.pack.map(z, 0.9))
        first = [place.still(image) for image in images]
        for index in (4, 1, 5, 0, 3, 2):
            assert np.array_equal(place.still(images[index]), first[index])

        def film() -> list[np.ndarray]:
            return [place.canvas.frame(image[None], look, {}, index) for index, image in enumerate(images)]

        once = film()
        place.still(images[3])
        assert all(np.array_equal(a, b) for a, b in zip(once, film(), strict=True))
    finally:
        place.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"products": ("series", "novel")}, "no product novel"),
        ({"mode": "magic"}, "no morph mode 'magic'"),
        ({"side": 10}, "pictures of 10 pixels"),
        ({"amounts": (("beauty", 1.5),)}, "beauty = 1.5: must be between 0 and 1"),
        ({"texture": float("nan")}, "--texture = nan"),
    ],
)
def test_orders_are_checked_before_any_work(change, words):
    with pytest.raises(ConfigError, match=words):
        Order(pack="default", **change).check()


def test_ones_own_blend_for_one_target_or_for_all():
    order = Order(pack="default", amounts=(("", 0.6), ("beauty", 0.0)))
    assert (order.choice("beauty"), order.choice("power")) == (0.0, 0.6)
    assert Order(pack="default", amounts=(("beauty", 0.4),)).choice("power") is None


def test_targets_that_the_pack_has_not_are_told():
    with pytest.raises(ConfigError, match="no target courage"):
        Workplace(Order(pack="default", targets=("courage",)))


def test_products_have_makers():
    assert set(PRODUCTS) == {"series", "midway", "films", "mix", "features", "origin"}
