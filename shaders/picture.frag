#version 330
#include "common.glsl"
// The plain look: second half of enlarging (columns), vignette, film grain, fade and dither, in one pass.
//
// Encoded values in and out: nothing here mixes light except the vignette, which is weak.
//
// Uniforms:
//   u_rows       sampler2D  encoded                  tiles side by side, already at the canvas' rows
//   u_tile       vec2       columns                  first and last column of this tile
//   u_kernel     mat4       cubic kernel             config: sharpness
//   u_grain      float      0..1          0.35       config
//   u_grain_px   float      pixels  1..8  1          renderer: size of a grain, grows with the canvas
//   u_vignette   float      0..1          0.25       config
//   u_fade       float      0..1          0          scene: 1 is black
//   u_seed       float      any           0          scene: changes from frame to frame

in vec2 v_uv;
in vec2 v_local;
out vec4 frag_color;
uniform sampler2D u_rows;
uniform vec2 u_tile;
uniform mat4 u_kernel;
uniform float u_grain;
uniform float u_grain_px;
uniform float u_vignette;
uniform float u_fade;
uniform float u_seed;

void main() {
    ivec2 size = textureSize(u_rows, 0);
    float x = v_uv.x * float(size.x) - 0.5;
    float left = floor(x);
    vec2 inv = 1.0 / vec2(size);
    vec4 w = cubic_weights(x - left, u_kernel);
    float y = v_local.y;
    vec4 columns = (clamp(vec4(left - 1.0, left, left + 1.0, left + 2.0), u_tile.x, u_tile.y) + 0.5) * inv.x;
    vec3 color = w.x * texture(u_rows, vec2(columns.x, y)).rgb + w.y * texture(u_rows, vec2(columns.y, y)).rgb +
                 w.z * texture(u_rows, vec2(columns.z, y)).rgb + w.w * texture(u_rows, vec2(columns.w, y)).rgb;

    vec2 corner = v_local - 0.5;
    color *= 1.0 - u_vignette * smoothstep(0.12, 0.62, dot(corner, corner));

    // Grain is strongest in the middle greys, as on film, and gone in pure black and white.
    vec2 cell = floor(gl_FragCoord.xy / u_grain_px) + u_seed;
    float grey = clamp(dot(color, vec3(0.299, 0.587, 0.114)), 0.0, 1.0);
    color += hash_triangle(cell) * (u_grain * 0.16 * grey * (1.0 - grey) + 1.0 / 255.0);  // the rest is dither, one step wide
    frag_color = vec4(clamp(color, 0.0, 1.0) * (1.0 - u_fade), 1.0);
}
