"""The second way to draw, with the pack that ships and the shader itself."""

import numpy as np
import pytest

from engines.faces.parameters import INDEX, NAMES
from engines.faces.renderer import PortraitRenderer
from engines.runtime import load_pack
from installation.errors import EngineError
from installation.shader_portraits import ShaderPortraits, drop_doubted_glasses

SIDE = 64


@pytest.fixture(scope="module")
def pack():
    with load_pack(backend="openvino") as loaded:
        yield loaded


@pytest.fixture
def shader(pack):
    made = ShaderPortraits(pack, SIDE)
    made.warm_up()
    yield made
    made.close()


def people(pack, n):
    return pack.map(np.random.default_rng(2).standard_normal((n, pack.manifest.z_dim)).astype(np.float32), 0.7)


def test_it_draws_what_the_readout_tells(pack, shader):
    latents = people(pack, 3)
    images = np.zeros((3, 3, SIDE, SIDE), np.float32)
    shader.draw(latents, images)
    renderer = PortraitRenderer(SIDE)
    for latent, image in zip(latents, images, strict=True):
        parameters = pack.read_out(latent[None])[0]
        drop_doubted_glasses(parameters)
        true = renderer.render(parameters).astype(np.float32) / 127.5 - 1.0
        np.testing.assert_allclose(image, true.transpose(2, 0, 1), atol=2.5 / 127.5)
    renderer.release()


@pytest.mark.parametrize(("read", "drawn"), [(0.0, 0.0), (0.12, 0.0), (0.25, 0.125), (0.4, 0.4), (1.0, 1.0)])
def test_doubt_is_no_glasses(read, drawn):
    """Faint glasses, as the readout of somebody without any tells them, leave no broken wire across the face."""
    parameters = np.full(len(NAMES), 0.5, np.float32)
    parameters[INDEX["glasses"]] = read
    drop_doubted_glasses(parameters)
    assert parameters[INDEX["glasses"]] == pytest.approx(drawn, abs=1e-6)
    assert (np.delete(parameters, INDEX["glasses"]) == 0.5).all()


def test_both_ways_show_the_same_person(pack, shader):
    latents = people(pack, 4)
    images = np.zeros((4, 3, SIDE, SIDE), np.float32)
    shader.draw(latents, images)
    made = pack.synthesize(latents).reshape(4, 3, SIDE, 2, SIDE, 2).mean(axis=(3, 5))
    error = np.array([[np.mean((a - b) ** 2) for b in made] for a in images])
    assert (error.argmin(axis=1) == np.arange(4)).all()
    assert error.diagonal().mean() < 0.05


def test_forgetting_leaves_no_picture(pack, shader):
    shader.draw(people(pack, 1), np.zeros((1, 3, SIDE, SIDE), np.float32))
    shader.forget()
    assert not shader._latent.any()
    assert not shader._parameters.any()
    assert not shader._bytes.any()


def test_a_pack_of_another_generator_is_refused(pack):
    class Other:
        name = "other"
        manifest = pack.manifest.model_copy(update={"architecture": {}})

    with pytest.raises(EngineError, match="needs a pack whose readout"):
        ShaderPortraits(Other(), SIDE)
