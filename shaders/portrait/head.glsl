// The head without hair as one signed distance, in head space. Measures come from u_anchors (engines/faces/geometry.py).

const float EYEBALL_RADIUS = 1.5;
const float EYEBALL_Z = 2.62;
const float LIPS_Z = 5.02;

// Fold left onto right; rounded at the middle so that no crease runs down the face.
vec3 mirrorX(vec3 p) { return vec3(sqrt(p.x * p.x + 0.03), p.yz); }
vec3 eyeCentre() { return vec3(a_eye_x, a_eye_y, EYEBALL_Z); }
float joy() { return max(p_smile, 0.0); }

// Height of the mouth line at x over a_mouth_y.
float mouthCurve(float x) {
    float t = x / a_mouth_half_width;
    return p_smile * (p_smile > 0.0 ? 1.0 : 0.75) * (0.95 * t * t - 0.20) + 0.35 * p_smirk * clamp(t, -1.5, 1.5);
}

// Point relative to the lips' middle, with the mouth's curve and the dental arch straightened.
vec3 mouthSpace(vec3 p) {
    vec3 m = p - vec3(0.0, a_mouth_y, LIPS_Z + 0.35 * p_pucker);
    m.y -= mouthCurve(m.x);
    return m;
}

// Opening between the lids: below 0 inside. q is relative to the eye's centre, +x outward; open is 0 closed, 1 at rest.
float lidOpening(vec2 q, float open) {
    float c = cos(p_eye_tilt * 0.16), s = sin(p_eye_tilt * 0.16);
    q = vec2(c * q.x + s * q.y, c * q.y - s * q.x);
    float u = q.x / a_eye_half_width;
    float arch = 1.0 - u * u;
    float peak = arch > 0.0 ? 1.0 - 0.22 * u : 1.0;
    float upper = mix(-a_lid_lower * 0.75, a_lid_upper, open) * arch * peak;
    float lower = -mix(a_lid_lower * 0.8, a_lid_lower, open) * arch * (1.0 + 0.18 * u);
    return max(max(q.y - upper, lower - q.y), (abs(u) - 1.0) * 1.2);
}
float lidOpen(float x) { return x > 0.0 ? a_open_right : a_open_left; }

float ear(vec3 q) {
    vec3 e = q - vec3(7.25, 0.7, -2.3);
    e.xz = mat2(0.90, 0.43, -0.43, 0.90) * e.xz;
    e.yz = mat2(0.98, 0.2, -0.2, 0.98) * e.yz;
    float size = 1.0 + 0.12 * p_ear_size + 0.1 * p_age;
    e /= size;
    float d = ellipsoid(e - vec3(0.0, 0.25, 0.0), vec3(0.52, 2.0, 1.35));
    d = smin(d, ellipsoid(e - vec3(0.0, -1.55, 0.25), vec3(0.42, 0.75, 0.62)), 0.5);
    d = smax(d, -ellipsoid(e - vec3(0.62, 0.35, 0.15), vec3(0.55, 1.35, 0.85)), 0.3);
    d = smin(d, capsule(e, vec3(0.30, 0.95, -0.45), vec3(0.30, -0.55, -0.35), 0.22, 0.22), 0.3);
    d = smin(d, ellipsoid(e - vec3(0.25, -0.45, 0.95), vec3(0.3, 0.42, 0.3)), 0.25);
    return d * size;
}

// Lips: x distance, y height of the upper edge, z of the lower one, over the straightened mouth line.
struct Lips { float gap, upper, lower, upperCentre, lowerCentre; };
Lips lipsAt(float x) {
    float t = sqrt(max(0.0, 1.0 - sq(x / a_mouth_half_width)));
    float bow = 0.10 * bell((abs(x) - 0.55) / 0.4) - 0.08 * bell(x / 0.28);
    Lips l;
    l.gap = a_lip_gap * t;
    l.upper = 0.44 * a_lip_fullness * t;
    l.lower = 0.58 * a_lip_fullness * t;
    l.upperCentre = l.gap * 0.35 + l.upper * 0.66 + bow * t;
    l.lowerCentre = -l.gap * 0.75 - l.lower * 0.70;
    return l;
}

// The main masses alone: cheap, for the first part of the march and for shadows.
float headMasses(vec3 p) {
    vec3 q = mirrorX(p);
    float fl = p_face_length;
    float d = ellipsoid(p - vec3(0, 4.0 + 0.3 * p_forehead, -2.5), vec3(7.25, 8.6 + 0.5 * p_forehead, 7.4));
    d = smin(d, ellipsoid(p - vec3(0, -1.4 - 0.35 * fl - 0.4 * p_mouth_open, -0.6),
                          vec3(6.55 + 0.35 * p_cheek_fullness + 0.25 * p_jaw_width, 7.3 + 0.8 * fl + 0.6 * p_mouth_open, 5.2)), 1.6);
    vec3 jaw = vec3(4.45 * a_jaw_half_width + 0.3 * p_cheek_fullness, -4.0 - 0.6 * fl - 0.8 * p_mouth_open, -1.1);
    vec3 chin = vec3(1.15 + 0.55 * p_masculinity + 0.3 * p_jaw_width, a_chin_y + 0.35, 3.05 + 0.55 * p_chin_projection);
    d = smin(d, capsule(q, jaw, chin, 1.25, 0.95), 2.6);
    d = smin(d, ellipsoid(p - vec3(0, a_chin_y + 0.35, 3.45 + 0.6 * p_chin_projection),
                          vec3(1.6 + 0.6 * p_masculinity + 0.55 * p_jaw_width, 1.2, 1.2)), 1.8);
    return d;
}

// The sockets, and the hollow beside the bridge.
float eyeSockets(float d, vec3 q) {
    d = smax(d, -ellipsoid(q - vec3(a_eye_x - 0.05, a_eye_y + 0.25, 5.45), vec3(1.95, 1.25 + 0.12 * p_brow_distance, 1.45)), 1.1);
    return smax(d, -ellipsoid(q - vec3(1.75, a_eye_y + 0.2, 5.35), vec3(0.75, 1.0, 1.2)), 0.9);
}

float noseBridge(vec3 p) {
    float w = sqrt(a_nose_width);
    return capsule(p, vec3(0, a_eye_y + 0.9, 4.25 + 0.35 * p_nose_bridge),
                   vec3(0, a_nose_tip_y + 0.55, a_nose_tip_z - 0.45 + 0.25 * p_nose_bridge), 0.70 * w, 0.76 * w);
}
float browRidge(vec3 q) {
    return capsule(q, vec3(0.6, a_brow_y - 0.55, 3.85 + 0.40 * p_masculinity + 0.25 * p_brow_ridge),
                   vec3(4.7, a_brow_y - 0.3, 2.1 + 0.35 * p_masculinity), 0.75, 0.6);
}

// Everything that the light sees of the head, with nothing finer than a finger: for soft shadows.
float headCoarse(vec3 p) {
    vec3 q = mirrorX(p);
    float d = headMasses(p);
    d = eyeSockets(smin(d, browRidge(q), 1.3), q);
    d = smin(d, noseBridge(p), 1.2);
    d = smin(d, ellipsoid(q - vec3(0.6 * a_nose_width, a_nose_tip_y - 0.1, a_nose_tip_z - 0.75), vec3(0.9 * a_nose_width, 0.8, 1.1)), 0.8);
    d = smin(d, ellipsoid(p - vec3(0, a_mouth_y - 0.1, 2.75), vec3(3.0, 2.2, 2.5)), 1.5);
    return min(d, ellipsoid(q - vec3(7.25, 0.6, -2.4), vec3(0.75, 2.2, 1.35)));
}

// The skin: masses, then features from the brow down.
float skin(vec3 p) {
    vec3 q = mirrorX(p);
    float d = headMasses(p);
    d = smin(d, ellipsoid(q - vec3(4.45 + 0.2 * p_cheekbones, -0.2 + 0.45 * joy(), 2.0 + 0.45 * p_cheekbones), vec3(1.7, 1.35, 1.5)), 2.2);
    d = smin(d, ellipsoid(q - vec3(3.75, -3.0 + 0.8 * joy(), 2.4 + 0.55 * p_cheek_fullness + 0.25 * joy()), vec3(1.75, 2.1, 1.45)), 2.2);
    float hollow = max(-p_cheek_fullness, 0.0);
    d = smax(d, -ellipsoid(q - vec3(6.9, -3.6, 4.9), vec3(2.2, 2.9, 2.4)) - 1.1 * (1.0 - hollow) - 1.5 * smoothstep(0.3, 0.0, hollow), 2.4);
    d = smin(d, ellipsoid(p - vec3(0, a_mouth_y + 0.2, 2.55), vec3(3.2, 2.5, 2.35)), 1.5);
    d = smin(d, browRidge(q), 1.3);

    d = eyeSockets(d, q);

    // Nose: bridge, tip, wings, nostrils; then the groove under it.
    float nw = a_nose_width;
    d = smin(d, noseBridge(p), 1.2);
    d = smin(d, ellipsoid(p - vec3(0, a_nose_tip_y, a_nose_tip_z - 0.25), vec3(0.92 * nw, 0.8, 0.85)), 0.7);
    d = smin(d, ellipsoid(q - vec3(1.02 * nw, a_nose_base_y + 0.60, 5.15), vec3(0.66 * nw, 0.66, 0.9)), 0.85);
    d = smax(d, -ellipsoid(q - vec3(0.55 * nw, a_nose_base_y - 0.10, 5.75), vec3(0.33 * nw, 0.26, 0.48)), 0.28);
    d = smax(d, -capsule(p, vec3(0, a_nose_base_y - 0.55, 6.05), vec3(0, a_mouth_y + 0.85 * a_lip_fullness + 0.2, 5.75), 0.22, 0.28), 0.5);

    // Age: jowls, hollow temples, tear troughs, lines from mouth to chin. All fade in from a third of the range.
    float old = sat((p_age - 0.3) / 0.7), away = 1.0 - old;
    float mouthX = a_mouth_half_width;
    d = smin(d, ellipsoid(q - vec3(3.2 * a_jaw_half_width, a_chin_y + 1.7, 1.75), vec3(1.5, 1.5, 1.45)) + 1.4 * away, 1.8);
    d = smax(d, -ellipsoid(q - vec3(6.6, 4.4, 3.6), vec3(1.0, 1.8, 1.6)) - 0.8 * away, 1.2);
    d = smax(d, -capsule(q, vec3(1.6, a_eye_y - 1.0, 5.25), vec3(3.3, a_eye_y - 2.1, 5.0), 0.16, 0.24) - 0.7 * away, 0.7);
    d = smax(d, -capsule(q, vec3(mouthX + 0.25, a_mouth_y - 0.3, 4.6), vec3(mouthX + 0.1, a_chin_y + 1.6, 4.35), 0.10, 0.20) - 0.7 * away, 0.6);
    float fold = 0.05 + 0.9 * p_age + 0.40 * joy();
    d = smax(d, -capsule(q, vec3(1.9 * nw, a_nose_base_y + 0.5, 5.15), vec3(mouthX + 0.75, a_mouth_y + 0.1, 4.35), 0.10, 0.16) - 0.12 + 0.30 * fold, 0.95);

    // Lids: a shell around the eyeball with the opening cut out, the crease above it, the bag below.
    vec3 e = q - eyeCentre();
    float a = lidOpening(e.xy, lidOpen(p.x));
    float nearEye = smoothstep(2.3, 1.2, length(e.xy));
    d = smin(d, smax(length(e) - (EYEBALL_RADIUS + 0.17), abs(e.y) - 1.35, 0.4), 0.42);
    d += 0.11 * bell((a - 0.36) / 0.13) * smoothstep(-0.2, 0.1, e.y) * nearEye * (0.6 + 0.6 * p_age) * (1.0 - 0.5 * p_epicanthus);
    d -= 0.17 * p_age * bell(vec2((e.y + 1.15) / 0.35, e.x / 1.1)) * step(0.0, e.z);
    d = smax(d, -max(a * 0.75, 0.2 - e.z), 0.10);

    // Lips, the cavity between them, the corners, and the groove over the chin.
    vec3 m = mouthSpace(p);
    m.z += 0.13 * m.x * m.x + 0.12 * joy();
    Lips l = lipsAt(m.x);
    float upperLip = length(vec2((m.y - l.upperCentre) * 1.05, (m.z - 0.03) * 0.8)) - l.upper;
    float lowerLip = length(vec2(m.y - l.lowerCentre, (m.z - 0.02) * 0.8)) - l.lower;
    d = smin(d, smax(smin(upperLip, lowerLip, 0.08), abs(m.x) - mouthX, 0.15), 0.35);
    float cavity = ellipsoid(vec3(m.x, m.y + l.gap * 0.2, m.z + 0.2), vec3(mouthX * 0.86, max(a_lip_gap * 0.58, 0.045), 1.7));
    // The distance to so flat an ellipsoid is wrong beyond its tips: it would cut a slit into the cheek.
    d = smax(d, -max(cavity, abs(m.x) - mouthX * 0.86), 0.09 + 0.1 * p_mouth_open);
    vec3 corner = vec3(q.x - mouthX * 1.02, p.y - a_mouth_y - mouthCurve(sign(p.x) * mouthX), p.z - 4.55);
    d = smax(d, 0.08 - length(corner), 0.6);
    float chinGroove = mix(a_mouth_y - 1.15 * a_lip_fullness - l.gap * 0.75, a_chin_y + 0.9, 0.45);
    d = smax(d, -capsule(p, vec3(-1.0, chinGroove, 5.45), vec3(1.0, chinGroove, 5.45), 0.30, 0.30), 0.9);
    return smin(d, ear(q), 0.5);
}

float eyeballs(vec3 p) { return length(mirrorX(p) - eyeCentre()) - EYEBALL_RADIUS; }

// Upper teeth and, behind and below them, the tongue.
float teeth(vec3 p) {
    vec3 m = mouthSpace(p);
    return max(length(vec2(m.x * 0.95, m.z + 3.32)) - 2.72, abs(m.y - a_lip_gap * 0.30 - 0.05) - 0.48);
}
float tongue(vec3 p) {
    vec3 m = mouthSpace(p);
    return ellipsoid(m - vec3(0, -a_lip_gap * 0.62 - 0.1, -1.6), vec3(1.7, 0.5, 1.7));
}

float neck(vec3 w) {
    float r = 0.8 * p_masculinity + 0.35 * p_neck_width;
    return capsule(w, vec3(0, -7.0, -3.2), vec3(0, -17.0, -5.2), 4.35 + r, 5.1 + r);
}
float torso(vec3 w) {
    vec3 q = mirrorX(w);
    float d = capsule(q, vec3(2.5, -13.4, -5.8), vec3(13.5 + 1.5 * p_masculinity, -16.6, -6.0), 2.6, 4.2);
    return smin(d, ellipsoid(w - vec3(0, -24.4, -4.3), vec3(15.0, 12.2, 7.0)), 3.0);
}

float glassesFrame(vec3 p) {
    vec3 q = mirrorX(p);
    vec3 g = q - vec3(a_eye_x + 0.15, a_eye_y - 0.15, 5.6);
    g.z += 0.03 * q.x * q.x;
    float rim = max(mix(0.02, 0.13, p_glasses), 0.5 * pixelSize * smoothstep(0.0, 0.3, p_glasses));
    float rr = pow(pow(abs(g.x / 2.15), 3.0) + pow(abs(g.y / 1.7), 3.0), 1.0 / 3.0);
    float ring = length(vec2((rr - 1.0) * 1.75, g.z * 0.9)) - rim;
    float bridge = capsule(q, vec3(0, a_eye_y + 0.35, 5.95), vec3(1.05, a_eye_y + 0.2, 5.6), rim, rim);
    vec3 hinge = vec3(6.9, a_eye_y + 0.25, 2.4);
    float temple = min(capsule(q, vec3(a_eye_x + 2.3, a_eye_y + 0.3, 4.7), hinge, rim, rim),
                       capsule(q, hinge, vec3(7.3, a_eye_y + 0.1, -3.0), rim, rim));
    return min(min(ring, bridge), temple);
}
