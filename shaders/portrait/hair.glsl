// Hair as a thickness over the scalp that starts at nothing on the hairline, plus curtains of long hair and a knot.

const float BALD = 0.03;

float hairPresence() { return smoothstep(0.0, BALD, p_hair_length); }
float curliness() { return smoothstep(0.35, 0.95, p_hair_curl); }
// 0 shaved .. 1 a full head of hair of some length.
float grown() { return smoothstep(0.06, 0.30, p_hair_length); }
float longness() { return smoothstep(0.30, 1.0, p_hair_length); }

// Strand coordinates: x across the strands (they fall from the crown like meridians, bent by the parting), y along them.
vec3 strandSpace(vec3 p) {
    float bend = p_parting * 2.4 * smoothstep(2.0, 10.0, p.y);
    float across = atan(p.x - bend, p.z + 3.5) * 6.0;
    float along = p.y * 0.13 + length(p.xz - vec2(0.0, -3.0)) * 0.10;
    float wave = sin(p.y * 1.05 + 3.0 * noise(p * 0.25) + across * 0.4) * 0.6 * p_hair_curl;
    return vec3(across + wave * 1.3, along, wave);
}

// How locks cluster: 0 in the gap between two, 1 on a lock's back.
float locks(vec3 s) {
    float a = noise(vec3(s.x * 1.1, s.y * 2.0, 1.0));
    float b = noise(vec3(s.x * 3.1, s.y * 3.5, 2.0));
    return a * 0.6 + b * 0.4;
}

// Signed distance inside the hairline along the scalp, cm: positive where hair grows.
float hairline(vec3 p) {
    vec3 q = mirrorX(p);
    float fringe = p_fringe * grown();
    float front = a_hairline_y - 0.25 * bell(p.x / 1.3) + 0.8 * max(p_hairline, 0.0) * smoothstep(0.6, 3.2, q.x);
    front -= fringe * 3.3 * smoothstep(6.8, 1.5, abs(p.x - p_parting * 2.2)) + 0.22 * fringe * p_parting * p.x;
    float top = (p.y - front - (p.z - 3.6) * 1.55) / 1.85;
    top -= (0.55 + 0.7 * p_hairline) * (1.0 - fringe) * bell(vec2((q.x - 5.4) / 1.3, (p.y - 7.0) / 1.8));
    float sideburn = 0.75 - abs(p.z + 0.3 + 0.06 * p.y);
    sideburn = min(sideburn, 0.6 * (p.y - mix(1.4, -1.6, max(p_beard, 0.35))));
    return -smin(-top, -sideburn, 0.7);
}

// Hair as a signed distance. detail 0 leaves out locks and curls (for shadows and for the first part of the march).
float hair(vec3 p, bool detail) {
    float presence = hairPresence();
    vec3 q = mirrorX(p);
    float curly = curliness(), full = grown(), fringe = p_fringe * full;
    vec3 centre = vec3(0.0, 4.0 + 0.3 * p_forehead, -2.6);
    float scalp = ellipsoid(p - centre, vec3(7.28, 8.6 + 0.5 * p_forehead, 7.45));
    if (scalp > 5.0 && p_hair_length < 0.3 && p_bun < 0.02) return scalp - 4.0;

    vec3 s = vec3(0.0);
    float lock = 0.5, curl = 0.0;
    if (detail) {
        s = strandSpace(p);
        lock = locks(s);
        curl = (noise(p * 1.15 + 0.3 * s.z) + 0.55 * noise(p * 2.6) - 0.75);
    }
    float inside = hairline(p) + (lock - 0.5) * mix(0.25, 1.1, fringe) * (1.0 - 0.7 * curly);

    // Thickness: full on top, cropped at the sides by the fade, hollow along the parting.
    float side = smoothstep(8.5, 3.0, p.y);
    float volume = mix(0.10, 0.50 + 1.3 * p_hair_volume * (0.5 + 0.5 * full), full) * (1.0 + 0.9 * curly * p_hair_volume);
    float shortSide = mix(1.0, 0.45, side) * mix(1.0, 0.25, p_hair_fade * side);
    volume *= mix(shortSide, 1.0, longness() * (1.0 - p_hair_fade));
    float partLine = bell((p.x - p_parting * 2.6) / 0.45) * smoothstep(6.0, 9.0, p.y) * smoothstep(-5.0, 0.0, p.z);
    volume *= 1.0 - 0.6 * partLine * full * (1.0 - curly) * (1.0 - fringe);
    float rise = mix(mix(0.5, 2.6, full), mix(1.0, 1.3, full), max(fringe, curly));
    float thickness = (volume + 0.35) * smoothstep(-0.25, rise, inside) - 0.35;
    float d = scalp - thickness - (lock - 0.5) * mix(0.05, 0.42, full) * (1.0 - curly) - curl * curly * 0.55 * full;

    // Curtains: a tube round the head that ends with the hair's length, open over the face.
    float L = longness();
    if (L > 0.0) {
        float end = 1.5 - L * 16.0 + (lock - 0.5) * 3.0;
        vec2 r = vec2(6.9 + 0.9 * p_hair_volume + 0.9 * curly * p_hair_volume + 0.04 * (5.0 - p.y) * (1.0 + p_hair_volume), 6.6 + 0.6 * p_hair_volume);
        float tube = (length(vec2(p.x, p.z + 3.4) / r) - 1.0) * min(r.x, r.y) * 0.9;
        tube -= (lock - 0.5) * 0.7 * (1.0 - curly) + curl * curly * 0.6;
        tube = smax(tube, p.y - 6.5, 3.0);
        tube = smax(tube, end - p.y, 1.2);
        float front = p.z - mix(-2.6, 1.2, p_hair_front) - 0.12 * p.y + (lock - 0.5);
        tube = smax(tube, front, 1.4);
        d = smin(d, tube, 1.4);
    }
    float knot = length(p - vec3(0.0, 12.9 + 0.8 * p_forehead + volume + p_bun, -4.2)) - (0.4 + 2.2 * p_bun) - (lock - 0.5) * 0.3;
    d = smin(d, knot + 2.0 * smoothstep(0.25, 0.0, p_bun), 1.2);
    return d * 0.85 + 2.0 * (1.0 - presence);
}

// Density of a beard on the skin, 0..1.
float beardMask(vec3 p) {
    vec3 q = mirrorX(p);
    float lips = length(vec2(p.x / (a_mouth_half_width * 1.02), (p.y - a_mouth_y) / (1.15 * a_lip_fullness + a_lip_gap * 0.9)));
    float low = smoothstep(0.9, -1.3, p.y - (a_mouth_y - 0.35 + 4.2 * smoothstep(3.0, 6.4, q.x)));
    float upper = smoothstep(0.35, 0.0, abs(p.y - (a_mouth_y + 0.9 * a_lip_fullness + 0.45 - 0.07 * q.x * q.x)) - 0.36) * smoothstep(3.4, 2.3, q.x);
    float m = max(low * p_beard, upper * p_moustache) * smoothstep(0.95, 1.15, lips);
    return m * smoothstep(-12.0, -9.0, p.y - 0.3 * p.z) * smoothstep(-4.5, -3.5, p.z);
}
