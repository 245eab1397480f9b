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

// Full detail, world space.
float map(vec3 w) {
    vec3 p = headFromWorld(w);
    float d = neckAndTorso(w);
    float s = skin(p);
    if (max(p_beard, p_moustache) > 0.3) s -= beardRelief(p);
    d = smin(d, s, 1.6);
    d = min(d, eyeballs(p));
    if (p_mouth_open > 0.02) d = min(d, min(teeth(p), tongue(p)));
    if (p_glasses > 0.02) d = min(d, glassesFrame(p));
    if (p_hair_length > 0.0) d = min(d, hair(p, true));
    return d;
}

// Masses only, never above `map` by more than COARSE_MARGIN.
const float COARSE_MARGIN = 0.7;
float mapCoarse(vec3 w) {
    vec3 p = headFromWorld(w);
    float d = min(neckAndTorso(w), headCoarse(p));
    if (p_hair_length > 0.0) d = min(d, hair(p, false));
    return d;
}

int materialAt(vec3 w) {
    vec3 p = headFromWorld(w);
    float s = skin(p);
    if (max(p_beard, p_moustache) > 0.3) s -= beardRelief(p);
    float best = min(s, neck(w)) - 0.12, t;
    int id = SKIN;
    t = eyeballs(p) - 0.03; if (t < best) { best = t; id = EYE; }
    if (p_hair_length > 0.0) { t = hair(p, true); if (t < best) { best = t; id = HAIR; } }
    if (p_mouth_open > 0.02) {
        t = teeth(p) - 0.03; if (t < best) { best = t; id = TEETH; }
        t = tongue(p) - 0.03; if (t < best) { best = t; id = TONGUE; }
    }
    t = torso(w); if (t < best) { best = t; id = CLOTH; }
    if (p_glasses > 0.02) { t = glassesFrame(p) - 0.05; if (t < best) { best = t; id = GLASSES; } }
    return id;
}

vec3 normalAt(vec3 w, float e) {
    vec2 k = vec2(1.0, -1.0);
    return normalize(k.xyy * map(w + k.xyy * e) + k.yyx * map(w + k.yyx * e) + k.yxy * map(w + k.yxy * e) + k.xxx * map(w + k.xxx * e));
}

const int SHADOW_STEPS = 14;
float softShadow(vec3 origin, vec3 toLight) {
    float lit = 1.0, t = 0.7;
    for (int i = 0; i < SHADOW_STEPS; i++) {
        vec3 w = origin + toLight * t;
        if (length(headFromWorld(w) - HEAD_MIDDLE) > HEAD_RADIUS + 0.4) break;
        float h = mapCoarse(w);
        lit = min(lit, 5.0 * h / t + 0.10);
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
