#version 330
#include "common.glsl"
// First half of enlarging a picture: from its own rows to the rows of the canvas, by a cubic over four rows.
//
// Separable, because four nearest taps twice are a third of the work of sixteen; nearest, because a
// software rasteriser pays four times for each filtered tap. Encoded values in and out.
//
// Uniforms:
//   u_picture  sampler2D  encoded        tiles side by side
//   u_kernel   mat4       cubic kernel   config: sharpness

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform mat4 u_kernel;

void main() {
    ivec2 size = textureSize(u_picture, 0);
    float y = v_uv.y * float(size.y) - 0.5;
    int row = int(floor(y)), column = int(gl_FragCoord.x), last = size.y - 1;
    vec4 w = cubic_weights(y - floor(y), u_kernel);
    frag_color = vec4(
        w.x * texelFetch(u_picture, ivec2(column, clamp(row - 1, 0, last)), 0).rgb +
        w.y * texelFetch(u_picture, ivec2(column, clamp(row, 0, last)), 0).rgb +
        w.z * texelFetch(u_picture, ivec2(column, clamp(row + 1, 0, last)), 0).rgb +
        w.w * texelFetch(u_picture, ivec2(column, clamp(row + 2, 0, last)), 0).rgb, 1.0);
}
