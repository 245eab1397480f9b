// What each surface looks like before light falls on it. Fills a Surface; n may be bent for grain. p is head space.

struct Surface {
    vec3 albedo;
    vec3 normal;       // world space
    float roughness;
    float specular;
    float scatter;     // light that wanders through skin: 0 none, 1 full
    float gloss;       // of hair strands
};

float browMask(vec3 p, vec3 q) {
    float x = (q.x - 1.25) / 3.9;
    float line = a_brow_y - 0.10 + 0.32 * sin(sat(x) * 2.4) * (1.0 + 0.5 * p_brow_arch) - 0.55 * smoothstep(0.6, 1.05, x)
               - 0.30 * p_brow_frown * smoothstep(0.5, 0.0, x);
    float halfWidth = (0.30 + 0.24 * p_brow_thickness) * smoothstep(-0.06, 0.10, x) * (1.0 - 0.72 * smoothstep(0.35, 1.0, x));
    float hairs = grain(vec3(q.x * 7.0 - p.y * 4.0, p.y * 1.5, 3.0), 8.0) * 0.4 + grain(vec3(q.x * 17.0 - p.y * 11.0, p.y * 3.0, 5.0), 20.0) * 0.6;
    return smoothstep(0.22, -0.22, abs(p.y - line) - halfWidth + 0.36 * (hairs - 0.45)) * step(-0.08, x) * step(x, 1.06) * step(1.0, p.z);
}

void skinSurface(vec3 p, inout Surface f) {
    vec3 q = mirrorX(p), n = f.normal;
    vec3 alb = skinColour();
    float fair = 1.0 - p_skin_tone;
    float rough = 0.74;
    f.specular = 0.024 * mix(1.0, 0.55, p_skin_tone);
    f.scatter = 1.0;
    alb *= 1.0 + 0.14 * (noise3(p * 0.9 + 3.0) - 0.5);

    // Blood: cheeks, nose, ears. Darker, redder round the eyes.
    float blood = bell((q - vec3(4.1, -1.2, 3.0)) / vec3(1.9, 1.5, 3.0)) + 0.9 * bell((p - vec3(0, a_nose_tip_y, 6.5)) / vec3(1.4, 1.1, 1.6))
                + 0.5 * smoothstep(6.4, 7.6, q.x);
    alb *= mix(vec3(1.0), vec3(1.06, 0.72, 0.70), sat(blood) * p_blush * mix(0.9, 0.45, p_skin_tone));
    vec3 e = q - eyeCentre();
    float socket = bell((e - vec3(0, -0.1, 1.5)) / vec3(1.9, 1.25, 2.0));
    alb *= mix(vec3(1.0), vec3(0.80, 0.66, 0.66), socket * (0.45 + 0.3 * p_age));
    float spots = smoothstep(0.68, 0.84, noise(p * 4.6)) * mix(0.6, 1.0, legible(4.6)) * p_freckles * smoothstep(-4.0, -0.5, p.y) * smoothstep(6.0, 1.0, p.y);
    alb *= mix(vec3(1.0), vec3(0.66, 0.48, 0.36), spots * 0.8 * fair);
    alb *= mix(vec3(1.0), vec3(0.86, 0.78, 0.74), smoothstep(0.45, 0.95, noise3(p * 1.9 + 31.0)) * sq(p_age));

    // Lips.
    vec3 m = mouthSpace(p);
    Lips l = lipsAt(m.x);
    float top = l.upperCentre + 0.72 * l.upper, bottom = l.lowerCentre - 0.72 * l.lower;
    float lip = smoothstep(0.10, -0.10, max(m.y - top, bottom - m.y)) * smoothstep(1.02, 0.96, q.x / a_mouth_half_width) * step(2.5, p.z);
    vec3 lipColour = mix(alb * mix(vec3(0.86, 0.50, 0.50), vec3(0.84, 0.60, 0.58), p_skin_tone), vec3(0.36, 0.035, 0.05), p_lip_tint * 0.8);
    alb = mix(alb, lipColour, lip * 0.92);
    rough = mix(rough, 0.40, lip);
    float line = smoothstep(0.12, 0.0, abs(m.y + l.gap * 0.2) - max(l.gap * 0.52, 0.02)) * smoothstep(0.97, 0.85, q.x / a_mouth_half_width) * step(2.0, p.z);
    alb *= mix(1.0, 0.30, line * step(m.z + 0.13 * m.x * m.x, 0.23));

    // Brows, lashes, eye shadow.
    vec3 hairs = hairColour();
    float brow = browMask(p, q);
    alb = mix(alb, mix(hairs * 0.45, vec3(0.02, 0.014, 0.012), 0.45), brow * (0.75 + 0.2 * p_brow_thickness));
    float a = lidOpening(e.xy, lidOpen(p.x));
    float upper = smoothstep(-0.25, 0.15, e.y + 0.10 * e.x);
    float front = step(0.0, e.z) * smoothstep(2.2, 1.6, length(e.xy));
    alb = mix(alb, alb * fromHsv(0.92 + 0.2 * p_iris, 0.45, 0.35), p_eye_shadow * 0.75 * upper * front * smoothstep(0.75, 0.1, a));
    float made = max(p_lashes, p_eye_shadow);
    float tips = 0.05 + (0.04 + 0.16 * made) * grain(vec3(q.x * 14.0 - e.y * 5.0 * e.x, 1.0, 2.0), 14.0) * smoothstep(-1.2, 1.2, e.x);
    float lash = smoothstep(0.06, -0.03, a - tips) * smoothstep(-0.10, 0.0, a) * front;
    float rim = smoothstep(0.12, 0.02, abs(a - 0.03)) * front;
    alb *= mix(1.0, 0.10, max(lash * upper * (0.65 + 0.35 * made), rim * 0.35 * made));
    alb = mix(alb, alb * vec3(1.25, 0.85, 0.82), rim * (1.0 - upper) * (1.0 - made));      // the wet, rosy lower margin
    rough = mix(rough, 0.25, rim * (1.0 - upper));

    // Beard: colour, and strands that break the highlight.
    float mask = beardMask(p);
    float strand = grain(p * vec3(6.0, 1.8, 6.0), 6.0) * 0.6 + grain(p * vec3(13.0, 3.0, 13.0), 13.0) * 0.4;
    float dense = sat(mask * 1.25 - 0.35 * (1.0 - mask) * strand) * smoothstep(0.02, 0.25, mask);
    alb = mix(alb, mix(hairs * 0.8, vec3(0.03), 0.15) * (0.6 + 0.7 * strand), dense * 0.93);
    rough = mix(rough, 0.75, max(dense, brow));
    f.scatter *= 1.0 - dense;
    f.specular *= 1.0 - 0.8 * dense;
    n += noiseVec(p * vec3(6.0, 1.6, 6.0)) * legible(6.0) * 0.9 * dense;

    // Wrinkles as bent normals: forehead, crow's feet. Pores everywhere.
    float old = sq(p_age);
    float forehead = sin(p.y * 4.2 + 1.2 * noise(p * 0.8) + 0.25 * q.x) * smoothstep(5.2, 6.2, p.y) * smoothstep(9.5, 8.0, p.y) * smoothstep(5.0, 2.0, q.x) * step(0.0, p.z);
    float crow = sin(atan(q.y - a_eye_y, q.x - a_eye_x - 1.0) * 11.0 + 2.0 * noise(p)) * bell((length(q.xy - vec2(a_eye_x + 2.1, a_eye_y)) - 0.2) / 0.9) * step(a_eye_x + 1.0, q.x);
    n += u_world_from_head * vec3(0, 1, 0) * (forehead * 0.6 + crow * 0.5) * old;
    alb *= 1.0 - 0.14 * old * (sat(forehead) + sat(crow));
    n += noiseVec(p * 9.0) * legible(9.0) * 0.045 * (1.0 + p_age);

    // Roots: the scalp darkens toward the hair, so that no hairline is a cut.
    float root = smoothstep(-0.4, 0.8, hairline(p) + 0.9 * (noise(p * vec3(5.0, 1.5, 5.0)) - 0.5)) * hairPresence();
    alb = mix(alb, hairs * 0.8, root * 0.5);
    f.albedo = alb;
    f.roughness = rough;
    f.normal = normalize(n);
}

void eyeSurface(vec3 p, inout Surface f) {
    float side = sign(p.x);
    vec3 q = mirrorX(p) - eyeCentre();
    vec3 e = normalize(q);
    e.x *= side;
    vec3 gaze = normalize(vec3(p_gaze_x * 0.42 - side * 0.035, p_gaze_y * 0.32 - 0.02, 1.0));
    float c = acos(clamp(dot(e, gaze), -1.0, 1.0)) * EYEBALL_RADIUS;
    const float IRIS = 0.65, PUPIL = 0.27;
    vec3 white = vec3(0.47, 0.435, 0.41) * mix(vec3(1.0), vec3(0.92, 0.86, 0.74), 0.5 * p_age);
    float angle = atan(e.y - gaze.y, e.x - gaze.x);
    vec3 iris = irisColour() * (1.1 + 0.8 * (noise(vec3(cos(angle) * 4.0, sin(angle) * 4.0, c * 2.0)) - 0.5)) * mix(0.7, 1.4, smoothstep(0.25, 0.5, c));
    iris *= mix(1.0, 0.15, smoothstep(0.52, 0.64, c));
    vec3 alb = mix(iris, white, smoothstep(IRIS - 0.02, IRIS + 0.05, c)) * mix(0.02, 1.0, smoothstep(PUPIL - 0.04, PUPIL + 0.04, c));
    float a = lidOpening(q.xy, lidOpen(p.x));
    f.albedo = alb * mix(0.25, 1.0, smoothstep(0.02, -0.34, a + 0.12 * smoothstep(-0.2, 0.4, q.y)));
    f.roughness = 0.08;
    f.specular = 0.05;
    f.normal = normalize(u_world_from_head * mix(e, normalize(e + 0.7 * (e - gaze)), smoothstep(IRIS + 0.1, IRIS - 0.1, c)));      // the cornea bulges
}

// Shows the scalp through short hair and at the hairline.
void hairSurface(vec3 p, inout Surface f) {
    vec4 s = strandSpace(p);
    float curly = curliness(), full = grown();
    float strands = grain(vec3(s.x * 5.0, s.y * 3.0, s.z), 3.8) * 0.45 + grain(vec3(s.x * 13.0, s.y * 5.0, s.z + 4.0), 9.8) * 0.55;
    float ringlet = curls(p);
    float coils = 0.5 + 0.22 * ringlet + 0.08 * sin(ringlet * 15.0 + 9.0 * noise(p * 1.3)) * legible(5.0) + 0.3 * (grain(p * 6.5, 6.5) - 0.5);
    float weave = mix(strands, coils, max(curly, 1.0 - full));
    float depth = mix(locks(s), coils, curly);
    vec3 strandColour = hairColour() * (0.35 + 1.2 * weave) * mix(0.4, 1.1, smoothstep(0.15, 0.65, depth));
    float inside = hairline(p) + 1.2 * (weave - 0.5);
    float cover = max(smoothstep(-0.2, mix(1.8, 0.5, full), inside), smoothstep(0.2, 0.8, scalp(p))) * mix(0.55 + 0.3 * weave, 1.0, full);
    cover *= 1.0 - 0.5 * p_hair_fade * (1.0 - longness()) * smoothstep(6.0, 2.0, p.y) * (0.5 + weave);
    f.albedo = mix(skinColour() * 0.8, strandColour, sat(cover));
    f.roughness = 0.46;
    f.specular = 0.05;
    f.scatter = 0.25;
    vec3 across = normalize(cross(u_world_from_head * vec3(0, 1, 0), f.normal) + 1e-3);
    f.normal = normalize(f.normal + across * (strands - 0.5) * 0.7 * (1.0 - curly) + curly * 0.3 * legible(4.1) * noiseVec(p * 4.1));
    f.gloss = full * (0.3 + 1.4 * strands) * (1.0 - 0.85 * curly);
}

void teethSurface(vec3 p, inout Surface f) {
    vec3 m = mouthSpace(p);
    f.albedo = vec3(0.78, 0.72, 0.62) * (0.75 + 0.25 * smoothstep(0.0, 0.12, abs(fract(m.x * 1.25) - 0.5))) * smoothstep(2.3, 0.6, abs(m.x));
    f.roughness = 0.2;
}

void clothSurface(vec3 w, inout Surface f) {
    f.albedo = fromHsv(p_cloth_hue, p_cloth_saturation, p_cloth_value) * (0.8 + 0.4 * noise(w * vec3(0.6, 0.3, 0.6)));
    f.roughness = 0.8;
    f.normal = normalize(f.normal + 0.25 * noiseVec(w * 0.9));
}
