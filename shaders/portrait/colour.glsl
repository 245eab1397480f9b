// Colours of skin, hair, iris and background, linear light.

vec3 fromHsv(float h, float s, float v) {
    vec3 k = abs(fract(h + vec3(0.0, 2.0 / 3.0, 1.0 / 3.0)) * 6.0 - 3.0) - 1.0;
    return v * mix(vec3(1.0), clamp(k, 0.0, 1.0), s);
}

vec3 ramp(vec3 a, vec3 b, vec3 c, vec3 d, vec3 e, float t) {
    t *= 4.0;
    return t < 1.0 ? mix(a, b, t) : t < 2.0 ? mix(b, c, t - 1.0) : t < 3.0 ? mix(c, d, t - 2.0) : mix(d, e, t - 3.0);
}

vec3 skinColour() {
    vec3 c = ramp(vec3(0.51, 0.335, 0.26), vec3(0.49, 0.30, 0.205), vec3(0.335, 0.185, 0.112), vec3(0.165, 0.085, 0.052),
                  vec3(0.078, 0.042, 0.030), p_skin_tone);
    vec3 golden = vec3(1.05, 0.98, 0.90), rosy = vec3(1.03, 0.94, 1.04);
    return c * mix(vec3(1.0), golden, sat(p_skin_warmth)) * mix(vec3(1.0), rosy, sat(-p_skin_warmth));
}

vec3 hairColour() {
    vec3 blond = vec3(0.48, 0.33, 0.17), brown = vec3(0.145, 0.072, 0.034), black = vec3(0.018, 0.012, 0.010);
    vec3 red = vec3(0.42, 0.085, 0.022), white = vec3(0.50);
    float m = p_hair_darkness;
    vec3 c = m < 0.5 ? mix(blond, brown, m * 2.0) : mix(brown, black, m * 2.0 - 1.0);
    c = mix(c, red, p_hair_red * (1.0 - 0.6 * m));
    return mix(c, white, p_hair_grey);
}

vec3 irisColour() {
    vec3 black = vec3(0.045, 0.018, 0.008), brown = vec3(0.13, 0.062, 0.024), green = vec3(0.11, 0.17, 0.07), blue = vec3(0.10, 0.22, 0.36);
    float t = p_iris * 3.0;
    return t < 1.0 ? mix(black, brown, t) : t < 2.0 ? mix(brown, green, t - 1.0) : mix(green, blue, t - 2.0);
}

// A painted studio wall, lighter on the side away from the key light.
vec3 background(vec2 uv, float azimuth) {
    vec3 near = fromHsv(p_background_hue, p_background_saturation * 0.8, p_background_value);
    vec3 far = fromHsv(p_background_hue + 0.10 * p_background_gradient, p_background_saturation * 0.9, p_background_value * 0.20);
    float g = smoothstep(0.1, 1.5, length(uv - vec2(-0.35 * sin(azimuth), 0.15)) * (0.8 + 0.25 * abs(p_background_gradient)));
    return mix(near, far, sat(g + 0.35 * (noise3(vec3(uv * 2.2, p_background_hue * 9.0)) - 0.5)));
}
