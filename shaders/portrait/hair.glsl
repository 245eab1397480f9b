// Hair as a thickness over the scalp that starts at nothing on the hairline, plus curtains of long hair and a knot.

const float BALD = 0.03;

float hairPresence() { return smoothstep(0.0, BALD, p_hair_length); }
float curliness() { return smoothstep(0.35, 0.95, p_hair_curl); }
// 0 shaved .. 1 a full head of hair of some length.
float grown() { return smoothstep(0.06, 0.30, p_hair_length); }
float longness() { return smoothstep(0.30, 1.0, p_hair_length); }

// How far loose strands stand off the hair, and hair off the scalp at most, cm.
float strandReach() { return grown() * (0.25 + 0.35 * p_hair_volume + 0.5 * curliness()); }
float hairReach() { return strandReach() + grown() * (0.9 + 1.8 * p_hair_volume) * (1.0 + 1.3 * curliness() * p_hair_volume); }

// Strand coordinates: x across the strands (they fall from the crown like meridians, bent by the parting), y along them,
// z their wave, w 0 at the crown where meridians crowd and 1 away from it.
vec4 strandSpace(vec3 p) {
    float bend = p_parting * 2.4 * smoothstep(2.0, 10.0, p.y);
    float across = atan(p.x - bend, p.z + 3.5) * 6.0;
    float along = p.y * 0.13 + length(p.xz - vec2(0.0, -3.0)) * 0.10;
    float wave = sin(p.y * 1.05 + 3.0 * noise(p * 0.25) + across * 0.4) * 0.6 * p_hair_curl;
    float fromCrown = smoothstep(0.5, 4.0, length(vec2(p.x - bend, p.z + 3.5)));
    return vec4(across + wave * 1.3, along, wave, fromCrown);
}

// How locks cluster: 0 in the gap between two, 1 on a lock's back.
float locks(vec4 s) {
    float a = noise(vec3(s.x * 1.1, s.y * 2.0, 1.0));
    float b = noise(vec3(s.x * 3.1, s.y * 3.5, 2.0));
    return mix(0.5, a * 0.6 + b * 0.4, s.w);
}

// Curls as interwoven ringlets (a bent gyroid, so that none repeats): -1 in the gap between two, 1 on a ringlet's back.
float curls(vec3 p) {
    vec3 c = (p + 0.55 * sin(p.yzx * 0.8 + 1.0) + 0.22 * sin(p.zxy * 2.1)) * mix(2.0, 2.9, curliness());
    return dot(sin(c), cos(c.yzx)) * 0.75;
}

float scalp(vec3 p) {
    return ellipsoid(p - vec3(0.0, 4.0 + 0.3 * p_forehead, -2.6), vec3(7.28, 8.6 + 0.5 * p_forehead, 7.45));
}

// Signed distance inside the hairline along the scalp, cm: positive where hair grows.
float hairline(vec3 p) {
    vec3 q = mirrorX(p);
    float fringe = p_fringe * grown(), swept = longness() * (1.0 - p_fringe);
    float fromParting = abs(p.x - p_parting * 2.6);
    float front = a_hairline_y - 0.25 * bell(p.x / 1.3) + 0.8 * max(p_hairline, 0.0) * smoothstep(0.6, 3.2, q.x);
    front -= fringe * 4.0 * smoothstep(7.2, 1.0, fromParting) + 0.25 * fringe * p_parting * p.x;
    front -= swept * (2.2 * smoothstep(0.3, 5.5, fromParting) - 0.3);
    float top = (p.y - front - (p.z - 3.6) * 1.55) / 1.85;
    top -= (0.55 + 0.7 * p_hairline) * (1.0 - max(fringe, swept)) * bell(vec2((q.x - 5.4) / 1.3, (p.y - 7.0) / 1.8));
    float sideburn = 0.75 - abs(p.z + 0.3 + 0.06 * p.y);
    sideburn = min(sideburn, 0.6 * (p.y - mix(1.4, -1.6, max(p_beard, 0.35))));
    return -smin(-top, -sideburn, 0.7);
}

// Hair as a signed distance. Without detail, no locks and curls: for shadows and the first part of the march.
float hair(vec3 p, bool detail) {
    float curly = curliness(), full = grown(), fringe = p_fringe * full, L = longness();
    vec3 q = mirrorX(p);

    float lock = 0.5, curl = 0.0;
    if (detail) {
        vec4 s = strandSpace(p);
        lock = locks(s);
        curl = 0.36 * curls(p);
    }
    float inside = hairline(p) + (lock - 0.5) * mix(0.3, 1.5, fringe) * (1.0 - 0.6 * curly) + 0.7 * curl * curly;

    // Thickness: full on top, cropped at the sides by the fade, hollow along the parting.
    float side = smoothstep(8.5, 3.0, p.y);
    float volume = mix(0.12, 0.45 + 1.6 * p_hair_volume * (0.4 + 0.6 * full), full) * (1.0 + 1.3 * curly * p_hair_volume);
    volume *= mix(1.0, mix(0.55, 1.0, max(L, curly)) * mix(1.0, 0.15, p_hair_fade * (1.0 - 0.7 * L)), side);
    float partLine = bell((p.x - p_parting * 2.6) / 0.5) * smoothstep(5.0, 8.0, p.y) * smoothstep(-6.0, 0.0, p.z);
    volume *= 1.0 - 0.75 * partLine * full * (1.0 - curly) * (1.0 - fringe);
    volume *= 1.0 + 0.7 * (lock - 0.5) * full * (1.0 - curly);
    float rise = mix(0.8, mix(3.2, 1.2, max(fringe, curly)), full);
    float thickness = (volume + 0.12) * smoothstep(-0.3, rise, inside) - 0.12;
    float d = scalp(p) - thickness - (lock - 0.5) * 0.22 * full * (1.0 - curly) - curl * curly * mix(0.1, 0.75, full);
    d = smax(d, -0.8 * (inside + 0.7), 0.5);

    // Curtains: a tube round the head that ends with the hair's length, open over the face.
    if (L > 0.0) {
        float end = 0.5 - L * 16.0 + (lock - 0.5) * 4.0;
        float flare = 0.06 * (4.0 - p.y) * (0.3 + p_hair_volume);
        vec2 r = vec2(7.5, 6.9) + p_hair_volume * (0.8 + 1.0 * curly) + flare;
        vec2 around = vec2(p.x + 0.5 * p_hair_curl * sin(0.8 * p.y + 2.0), p.z + 3.2);
        float tube = (length(around / r) - 1.0) * min(r.x, r.y) * 0.9;
        tube -= (lock - 0.5) * 1.0 * (1.0 - curly) + curl * curly * 0.8;
        tube = smax(tube, p.y - 6.0, 3.0);
        tube = smax(tube, end - p.y, 1.5);
        tube = smax(tube, p.z - mix(-1.8, 2.2, p_hair_front) - 0.10 * p.y + 1.3 * (lock - 0.5), 1.6);
        tube = smax(tube, -max(q.x - 3.8 + (lock - 0.5), -2.0 - p.z), 1.0);
        d = smin(d, tube, 1.4);
    }
    float knot = length(p - vec3(0.0, 12.7 + 0.8 * p_forehead + volume + p_bun, -4.2)) - (0.4 + 2.2 * p_bun) - (lock - 0.5) * 0.4;
    d = smin(d, knot + 2.0 * max(smoothstep(0.25, 0.0, p_bun), 1.0 - full), 1.2);
    return d * 0.85 + 2.0 * (1.0 - hairPresence());
}

// Density of a beard on the skin, 0..1.
float beardMask(vec3 p) {
    vec3 q = mirrorX(p);
    float lips = length(vec2(p.x / (a_mouth_half_width * 1.02), (p.y - a_mouth_y) / (1.15 * a_lip_fullness + a_lip_gap * 0.9)));
    float low = smoothstep(0.9, -1.3, p.y - (a_mouth_y - 0.35 + 4.2 * smoothstep(3.0, 6.4, q.x)));
    float lipTop = a_mouth_y + 0.75 * a_lip_fullness + 0.35 * a_lip_gap, noseFloor = a_nose_base_y - 0.3;
    float middle = mix(lipTop, noseFloor, 0.45) + mouthCurve(p.x) - 0.09 * q.x * q.x;
    float upper = smoothstep(0.3, -0.2, abs(p.y - middle) - 0.5 * (noseFloor - lipTop)) * smoothstep(1.25, 0.85, q.x / a_mouth_half_width);
    float m = max(low * p_beard, upper * p_moustache) * smoothstep(0.95, 1.15, lips);
    return m * smoothstep(-12.0, -9.0, p.y - 0.3 * p.z) * smoothstep(-4.5, -3.5, p.z);
}
