// The person as one distance: head, hair, glasses, neck and garment; with normals, soft shadow and occlusion.

const int SKIN = 0, EYE = 1, HAIR = 2, TEETH = 3, TONGUE = 4, CLOTH = 5, GLASSES = 6;
const vec3 HEAD_MIDDLE = vec3(0.0, 1.0, -1.5);
const float HEAD_RADIUS = 13.8;

vec3 headFromWorld(vec3 w) { return (w - PIVOT) * u_world_from_head + PIVOT; }

float neckAndTorso(vec3 w) {
    float t = torso(w);
    return min(smin(neck(w), t + 0.7, 1.5), t);
}

float beardRelief(vec3 p) {
    float b = beardMask(p);
    return b * b * 0.85 * smoothstep(0.3, 1.0, max(p_beard, p_moustache)) * smoothstep(7.2, 4.5, abs(p.x))
         * (0.6 + 0.8 * noise(vec3(p.x * 2.2, p.y * 0.7, p.z * 2.2)));
}

// Distances of the parts at the last point where `map` was asked, for `materialAt`.
float partSkin, partEye, partHair, partTeeth, partTongue, partCloth, partGlasses;
const float ABSENT = 1e3;

// Full detail, world space.
float map(vec3 w) {
    vec3 p = headFromWorld(w);
    partCloth = torso(w);
    partSkin = skin(p);
    if (max(p_beard, p_moustache) > 0.3) partSkin -= beardRelief(p);
    partEye = eyeballs(p);
    partHair = p_hair_length > 0.0 ? hair(p, true) : ABSENT;
    partTeeth = p_mouth_open > 0.02 ? teeth(p) : ABSENT;
    partTongue = p_mouth_open > 0.02 ? tongue(p) : ABSENT;
    partGlasses = p_glasses > 0.02 ? glassesFrame(p) : ABSENT;
    partSkin = smin(partSkin, smin(neck(w), partCloth + 0.7, 1.5), 1.6);
    return min(min(min(partSkin, partCloth), min(partEye, partHair)), min(min(partTeeth, partTongue), partGlasses));
}

// The masses alone; `map` is never below it by more than COARSE_MARGIN.
const float COARSE_MARGIN = 1.2;
float mapCoarse(vec3 w) {
    vec3 p = headFromWorld(w);
    float d = min(min(neck(w), torso(w)), headCoarse(p));
    if (p_hair_length > 0.0) d = min(d, hair(p, false));
    return d;
}

// Which part the point last given to `map` lies on.
int materialAt() {
    float best = partSkin - 0.05;
    int id = SKIN;
    if (partEye < best) { best = partEye; id = EYE; }
    if (partHair < best) { best = partHair; id = HAIR; }
    if (partTeeth < best) { best = partTeeth; id = TEETH; }
    if (partTongue < best) { best = partTongue; id = TONGUE; }
    if (partCloth < best) { best = partCloth; id = CLOTH; }
    if (partGlasses < best) { best = partGlasses; id = GLASSES; }
    return id;
}

// Gradient by forward differences; d is map(w).
vec3 normalAt(vec3 w, float d, float e) {
    vec2 k = vec2(e, 0.0);
    return normalize(vec3(map(w + k.xyy), map(w + k.yxy), map(w + k.yyx)) - d);
}

const int SHADOW_STEPS = 14;
float softShadow(vec3 origin, vec3 toLight) {
    float lit = 1.0, t = 0.7;
    for (int i = 0; i < SHADOW_STEPS; i++) {
        vec3 w = origin + toLight * t;
        if (length(headFromWorld(w) - HEAD_MIDDLE) > HEAD_RADIUS + 0.4) break;
        float h = mapCoarse(w) + 0.15;
        lit = min(lit, 5.0 * h / t + 0.08);
        t += clamp(h, 0.35, 2.2);
        if (lit < 0.02 || t > 17.0) break;
    }
    lit = sat(lit);
    return lit * lit * (3.0 - 2.0 * lit);
}

float occlusion(vec3 w, vec3 n) {
    float o = (0.22 - map(w + n * 0.22)) + (0.75 - map(w + n * 0.75)) * 0.6 + (1.7 - mapCoarse(w + n * 1.7)) * 0.38;
    return sat(1.0 - 0.36 * o);
}
