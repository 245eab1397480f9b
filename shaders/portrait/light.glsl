// A portrait painter's light: one soft key, a fill from the camera's side, sky and ground, a rim from behind.

struct Lights { vec3 key, keyColour, rim, sky, ground; float azimuth; };

Lights lights() {
    float az = radians(p_light_azimuth), el = radians(p_light_elevation);
    Lights s;
    s.azimuth = az;
    s.key = normalize(vec3(sin(az) * cos(el), sin(el), cos(az) * cos(el)));
    s.keyColour = mix(vec3(0.78, 0.90, 1.15), vec3(1.18, 0.93, 0.66), 0.5 + 0.5 * p_light_warmth) * p_light_intensity * 1.5;
    s.rim = normalize(vec3(-sin(az) * 0.9 - 0.25 * clamp(3.0 * az, -1.0, 1.0), 0.35, -0.75));
    s.sky = mix(vec3(0.26, 0.32, 0.45), vec3(0.40, 0.36, 0.33), 0.5 - 0.5 * p_light_warmth) * p_fill;
    s.ground = vec3(0.30, 0.20, 0.15) * p_fill + background(vec2(0.0), az) * 0.25;
    return s;
}

vec3 shade(Surface f, int id, vec3 w, vec3 toEye, vec3 geometric, Lights s) {
    vec3 n = f.normal;
    float lit = softShadow(w + geometric * (id == HAIR ? 0.7 : 0.2), s.key);
    if (id == TEETH || id == TONGUE) lit = max(lit, 0.55);      // the coarse head has no mouth to let light in
    float open = mix(occlusion(w, geometric), 1.0, 0.1);
    float facing = dot(n, s.key);

    // Light bleeds past the terminator of skin, red furthest.
    vec3 wrap = 0.17 * f.scatter * vec3(1.6, 0.6, 0.35);
    vec3 diffuse = clamp((facing + wrap) / (1.0 + wrap), 0.0, 1.0);
    vec3 lin = s.keyColour * diffuse * mix(vec3(lit), pow(vec3(lit), vec3(0.86, 1.06, 1.10)), f.scatter);
    lin += mix(s.ground, s.sky, 0.5 + 0.5 * n.y) * open * mix(vec3(1.0), vec3(1.1, 1.0, 0.95), f.scatter);
    lin += p_fill * 0.35 * vec3(0.9, 0.95, 1.05) * sat(dot(n, normalize(vec3(-s.key.x, 0.1, 0.8)))) * open;
    float edge = pow(1.0 - sat(dot(n, toEye)), 4.0);
    lin += p_rim * vec3(1.0, 0.92, 0.84) * 2.4 * sat(dot(n, s.rim) + 0.05) * sat(edge * 2.5 + 0.12) * open * open;
    vec3 colour = f.albedo * lin * mix(1.0, open, 0.35);

    vec3 halfway = normalize(s.key + toEye);
    // Two lobes: a broad sheen and, fainter, a tighter one for moist or hard surfaces.
    float sharp = 1.0 - f.roughness, h = sat(dot(n, halfway));
    vec3 gloss = s.keyColour * (pow(h, 9.0) * 1.6 + sharp * pow(h, mix(30.0, 400.0, sharp)) * 10.0) * lit * f.specular;
    if (id == HAIR) {
        vec3 tangent = normalize(cross(n, cross(u_world_from_head * vec3(0.0, 1.0, 0.25), n)));
        float across = sqrt(max(0.0, 1.0 - sq(dot(tangent, halfway))));
        gloss = s.keyColour * mix(vec3(0.6), hairColour() * 2.0, 0.5) * pow(across, 38.0) * 0.16 * lit * sat(facing + 0.3) * f.gloss;
    } else if (id == EYE) {
        gloss = vec3(4.0) * pow(h, 260.0) * mix(0.4, 1.0, lit) + vec3(0.25) * pow(sat(dot(n, normalize(vec3(-s.key.x, 0.35, 1.0)))), 160.0);
    }
    return colour + gloss + edge * 0.06 * open * s.sky * (id == EYE ? 0.2 : 1.0);
}

// Vignette, a touch of warmth, filmic curve (after Narkowicz), sRGB gamma.
vec3 grade(vec3 c, vec2 uv) {
    c *= 1.0 - 0.10 * dot(uv, uv);
    c *= vec3(1.024, 1.0, 0.97);
    c = mix(vec3(dot(c, vec3(0.3, 0.55, 0.15))), c, 0.92);
    c = c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14);
    return pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2));
}
