"""Draw people from the portrait's parameter space, balanced on purpose.

The default model must hold no correlation of its own behind which a prompt's bias could hide. So, apart from the two
couplings named below, every parameter is drawn independently of every other:

- skin tone and age: uniform over their range;
- identity: normal, sigma 0.40, cut at the range (beyond it faces turn grotesque); no bone of the face knows of
  another, nor of masculinity, which alone has sigma 0.6; epicanthus is 0 for 60 % and uniform otherwise;
- hair, beard, moustache, make-up, glasses, brows, lashes, iris, freckles: independent of face shape, of
  masculinity, of age and of skin tone. A dark face may have red hair and blue eyes, a wide jaw may wear lipstick;
- light, background and clothes: independent of the person.

Coupled: gaze counter-rotates against yaw and pitch (people look at the camera); moustache follows beard in half of the
bearded (a full beard without one is rare on anybody). Neither is a trait of a kind of person.

Seeded: the same `np.random.Generator` state gives the same person on every machine.
"""

from __future__ import annotations

import numpy as np

from .parameters import HIGH, INDEX, LOW, NP, PARAMETERS, Parameters

IDENTITY_SIGMA = 0.40


def sample(rng: np.random.Generator) -> Parameters:
    """Draw one person: (NP,) float32, every value inside its range. The distribution is in the module's docstring."""
    p = np.zeros(NP, np.float32)

    def put(name: str, value: float) -> float:
        i = INDEX[name]
        p[i] = np.clip(value, LOW[i], HIGH[i])
        return float(p[i])

    def normal(sigma: float, mean: float = 0.0) -> float:
        return float(rng.normal(mean, sigma))

    def sometimes(chance: float, value: float) -> float:
        return value if rng.random() < chance else 0.0

    for row in PARAMETERS:
        if row.group == "identity":
            put(row.name, normal(IDENTITY_SIGMA, row.default))
    put("age", rng.random())
    put("masculinity", normal(0.6))
    put("epicanthus", sometimes(0.4, rng.random()))

    put("eyes_open", normal(0.16, 1.0) if rng.random() < 0.82 else rng.random())
    put("wink", sometimes(0.06, rng.choice((-1.0, 1.0)) * rng.random()))
    put("mouth_open", sometimes(0.5, rng.random() ** 1.4))
    put("smile", normal(0.38, 0.15))
    put("smirk", sometimes(0.3, normal(0.4)))
    put("pucker", sometimes(0.15, rng.random()))
    put("brow_raise", normal(0.4))
    put("brow_frown", normal(0.4))

    yaw = put("yaw", normal(13.0))
    pitch = put("pitch", normal(7.0))
    put("roll", normal(4.0))
    put("camera_distance", rng.uniform(45.0, 95.0))
    put("gaze_x", -yaw / 45.0 * rng.random() + normal(0.25))
    put("gaze_y", -pitch / 45.0 * rng.random() + normal(0.22))

    put("skin_tone", rng.random())
    put("skin_warmth", normal(0.45))
    put("blush", rng.beta(2.0, 2.0))
    put("freckles", sometimes(0.2, rng.random()))
    put("lip_tint", sometimes(0.5, rng.random()))
    put("eye_shadow", sometimes(0.4, rng.random()))
    put("lashes", rng.random())
    put("brow_thickness", normal(0.5))
    put("iris", rng.beta(1.0, 1.6))

    put("hair_darkness", rng.beta(1.5, 1.0))
    put("hair_red", sometimes(0.2, rng.random()))
    put("hair_grey", sometimes(0.3, rng.random()))
    put("hair_length", sometimes(0.95, 0.06 + 0.94 * rng.beta(1.05, 1.3)))
    put("hair_volume", rng.beta(1.6, 1.8))
    put("hair_curl", rng.beta(0.9, 1.2))
    put("hair_fade", rng.beta(1.0, 1.5))
    put("hair_front", rng.random())
    put("fringe", sometimes(0.5, rng.beta(1.0, 1.3)))
    put("parting", normal(0.5))
    put("hairline", normal(0.45))
    put("bun", sometimes(0.12, rng.random()))
    beard = put("beard", sometimes(0.3, rng.random()))
    put("moustache", beard if rng.random() < 0.5 else sometimes(0.12, rng.random()))
    put("glasses", sometimes(0.14, rng.uniform(0.4, 1.0)))

    put("light_azimuth", normal(36.0))
    put("light_elevation", normal(13.0, 30.0))
    put("light_warmth", normal(0.5))
    put("light_intensity", normal(0.16, 1.0))
    put("fill", rng.gamma(2.6, 0.20))
    put("rim", rng.random())
    put("background_hue", rng.random())
    put("background_saturation", 0.7 * rng.beta(1.5, 2.5))
    put("background_value", 0.03 + 0.7 * rng.beta(1.0, 2.4))
    put("background_gradient", normal(0.5))
    put("cloth_hue", rng.random())
    put("cloth_saturation", 0.7 * rng.beta(1.5, 2.0))
    put("cloth_value", 0.02 + 0.6 * rng.beta(1.0, 2.0))
    return p
