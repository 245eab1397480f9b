// Shared by every shader of the show; pasted in where a file includes it.
//
// Conventions: positions and picture coordinates run x right, y down, row 0 is the top row; only
// present.vert turns y round. "Encoded" values are sRGB as a screen takes them, "linear" values are light.

const float PI = 3.14159265358979;
const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);  // Rec. 709 weights of linear red, green and blue

float luminance(vec3 linear) { return dot(linear, LUMA); }

// sRGB to light, IEC 61966-2-1.
vec3 linear_from_srgb(vec3 encoded) {
    return mix(encoded / 12.92, pow((max(encoded, 0.0) + 0.055) / 1.055, vec3(2.4)), step(0.04045, encoded));
}

// Light to sRGB, IEC 61966-2-1.
vec3 srgb_from_linear(vec3 linear) {
    linear = max(linear, 0.0);
    return mix(linear * 12.92, 1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, linear));
}

// Noise in 0..1 from a position, without a table: integer-free hash after D. Hoskins, "Hash without Sine".
float hash(vec2 position) {
    vec3 p = fract(vec3(position.xyx) * 0.1031);
    p += dot(p, p.yzx + 33.33);
    return fract((p.x + p.y) * p.z);
}

// Two noises added: -1..1, most often near 0. One step wide it is what dither should be.
float hash_triangle(vec2 position) {
    float first = hash(position);
    return first + fract(first * 917.3) - 1.0;
}

// Smooth value noise in 0..1, one feature per unit.
float value_noise(vec2 position) {
    vec2 cell = floor(position), f = position - cell;
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(cell), hash(cell + vec2(1, 0)), f.x),
               mix(hash(cell + vec2(0, 1)), hash(cell + vec2(1, 1)), f.x), f.y);
}

// Weights of the four neighbours under a cubic kernel; t: 0..1 between the two middle ones. The kernel's columns are the
// coefficients of 1, t, t^2 and t^3 (installation/display/tiles.py).
vec4 cubic_weights(float t, mat4 kernel) { return kernel[0] + t * (kernel[1] + t * (kernel[2] + t * kernel[3])); }

// One picture of a row of pictures, enlarged by Catmull-Rom with five filtered taps (linear filter needed). The four
// corner taps weigh under 2 % together and are left out. first, last: columns the picture lies in, so that taps stay in it.
vec3 enlarged(sampler2D picture, vec2 uv, float first, float last) {
    vec2 size = vec2(textureSize(picture, 0));
    vec2 x = uv * size - 0.5;
    vec2 f = fract(x), base = x - f + 0.5;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f)), w1 = 1.0 + f * f * (-2.5 + 1.5 * f);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f)), w3 = f * f * (-0.5 + 0.5 * f), w = w1 + w2;
    vec2 low = vec2(first + 0.5, 0.5), high = vec2(last + 0.5, size.y - 0.5);
    vec2 a = clamp(base - 1.0, low, high) / size, m = clamp(base + w2 / w, low, high) / size;
    vec2 b = clamp(base + 2.0, low, high) / size;
    vec4 sum = vec4(texture(picture, m).rgb, 1.0) * (w.x * w.y);
    sum += vec4(texture(picture, vec2(m.x, a.y)).rgb, 1.0) * (w.x * w0.y);
    sum += vec4(texture(picture, vec2(a.x, m.y)).rgb, 1.0) * (w0.x * w.y);
    sum += vec4(texture(picture, vec2(b.x, m.y)).rgb, 1.0) * (w3.x * w.y);
    sum += vec4(texture(picture, vec2(m.x, b.y)).rgb, 1.0) * (w.x * w3.y);
    return sum.rgb / sum.a;
}
