#version 330
#include "common.glsl"
// Doubles a small picture with crisp lines: edges are drawn together before the rest of the way is enlarged softly.
//
// Warp sharpening: each pixel looks a little away from the nearest edge, which is where the slope of the brightness
// grows. So transitions narrow and nothing overshoots, as it would with an unsharp mask. Encoded values in and out.
//
// Uniforms:
//   u_picture  sampler2D  encoded                   tiles side by side; linear filter
//   u_edges    sampler2D  brightness                the same at twice its size, from edges.frag; nearest filter
//   u_tiles    float      pictures in u_picture  1  renderer
//   u_crisp    float      0..1                 0.5  config: how far edges are drawn together

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_edges;
uniform float u_tiles;
uniform float u_crisp;

void main() {
    vec2 size = vec2(textureSize(u_picture, 0));
    float columns = size.x / u_tiles, first = floor(v_uv.x * u_tiles) * columns;
    vec2 low = vec2(first + 0.25, 0.25) / size, high = vec2(first + columns - 0.25, size.y - 0.25) / size;
    vec2 a = max(v_uv - 1.0 / size, low), b = min(v_uv + 1.0 / size, high);
    #define AT(X, Y) texture(u_edges, vec2(X, Y)).r
    float nw = AT(a.x, a.y), n = AT(v_uv.x, a.y), ne = AT(b.x, a.y), w = AT(a.x, v_uv.y), m = AT(v_uv.x, v_uv.y);
    float e = AT(b.x, v_uv.y), sw = AT(a.x, b.y), s = AT(v_uv.x, b.y), se = AT(b.x, b.y);
    vec2 slope = 0.5 * vec2(e - w, s - n);
    float xx = e + w - 2.0 * m, yy = s + n - 2.0 * m, xy = 0.25 * (se + nw - ne - sw);
    vec2 toward_edge = vec2(xx * slope.x + xy * slope.y, xy * slope.x + yy * slope.y) / max(length(slope), 0.004);
    vec2 pull = toward_edge * u_crisp * 5.0;
    pull *= 0.32 / max(0.32, length(pull));  // further would fold lines of one pixel over themselves
    frag_color = vec4(enlarged(u_picture, v_uv - pull / size, first, first + columns - 1.0), 1.0);
}
