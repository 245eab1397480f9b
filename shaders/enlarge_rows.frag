#version 330
#include "common.glsl"
// First half of enlarging a picture: from its own rows to the rows of the canvas, by a cubic over four rows.
//
// Separable, because four nearest taps twice are a third of the work of sixteen; nearest, because a
// software rasteriser pays four times for each filtered tap. Encoded values in and out.
//
// Uniforms:
//   u_picture    sampler2D  encoded           tiles side by side
//   u_sharpness  float      0..1        0.6   config: 0 B-spline, 1 Catmull-Rom

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_sharpness;

void main() {
    ivec2 size = textureSize(u_picture, 0);
    float y = v_uv.y * float(size.y) - 0.5;
    int row = int(floor(y)), column = int(gl_FragCoord.x), last = size.y - 1;
    vec4 w = cubic_weights(y - floor(y), u_sharpness);
    frag_color = vec4(
        w.x * texelFetch(u_picture, ivec2(column, clamp(row - 1, 0, last)), 0).rgb +
        w.y * texelFetch(u_picture, ivec2(column, clamp(row, 0, last)), 0).rgb +
        w.z * texelFetch(u_picture, ivec2(column, clamp(row + 1, 0, last)), 0).rgb +
        w.w * texelFetch(u_picture, ivec2(column, clamp(row + 2, 0, last)), 0).rgb, 1.0);
}
