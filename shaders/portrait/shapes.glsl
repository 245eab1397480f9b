// Distance shapes and value noise, all in centimetres. No uniforms.

float sat(float x) { return clamp(x, 0.0, 1.0); }
float sq(float x) { return x * x; }
float bell(float x) { return exp(-x * x); }
float bell(vec2 x) { return exp(-dot(x, x)); }
float bell(vec3 x) { return exp(-dot(x, x)); }

// Smooth union and carving; k is the width of the blend.
float smin(float a, float b, float k) {
    float h = max(k - abs(a - b), 0.0) / k;
    return min(a, b) - h * h * k * 0.25;
}
float smax(float a, float b, float k) { return -smin(-a, -b, k); }

// Ellipsoid of radii r: first-order distance, good near the surface.
float ellipsoid(vec3 p, vec3 r) {
    float k0 = length(p / r), k1 = length(p / (r * r));
    return k0 * (k0 - 1.0) / max(k1, 1e-4);
}

// Capsule from a to b whose radius goes from ra to rb.
float capsule(vec3 p, vec3 a, vec3 b, float ra, float rb) {
    vec3 pa = p - a, ba = b - a;
    float h = sat(dot(pa, ba) / dot(ba, ba));
    return length(pa - ba * h) - mix(ra, rb, h);
}

float hash(vec3 p) {
    p = fract(p * 0.3183099 + 0.1) * 17.0;
    return fract(p.x * p.y * p.z * (p.x + p.y + p.z));
}

// Value noise, 0..1, one cell per unit.
float noise(vec3 x) {
    vec3 i = floor(x), f = fract(x);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(mix(hash(i), hash(i + vec3(1, 0, 0)), f.x), mix(hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)), f.x), f.y),
               mix(mix(hash(i + vec3(0, 0, 1)), hash(i + vec3(1, 0, 1)), f.x), mix(hash(i + vec3(0, 1, 1)), hash(i + vec3(1, 1, 1)), f.x), f.y), f.z);
}
float noise3(vec3 p) { return noise(p) * 0.55 + noise(p * 2.1 + 3.0) * 0.3 + noise(p * 4.3 + 7.0) * 0.15; }

// How much of a grain of so many cells a centimetre this picture can show without aliasing: 0 none, 1 all.
float pixelSize;        // of one pixel at the head, cm; set by main
float legible(float cells) { return smoothstep(1.2, 0.4, pixelSize * cells); }
float grain(vec3 p, float cells) { return 0.5 + (noise(p) - 0.5) * legible(cells); }
vec3 noiseVec(vec3 p) { return vec3(noise(p), noise(p + 5.2), noise(p + 11.7)) - 0.5; }
