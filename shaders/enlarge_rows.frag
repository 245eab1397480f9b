#version 330
#include "common.glsl"
// First half of enlarging a picture: from its own rows to the rows of the canvas, by a cubic over four rows.
//
// Separable, because four nearest taps twice are a third of the work of sixteen; nearest, because a
// software rasteriser pays four times for each filtered tap. Encoded values in and out.
//
// Uniforms:
//   u_picture  sampler2D  encoded        tiles side by side; nearest filter
//   u_kernel   mat4       cubic kernel   config: sharpness

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform mat4 u_kernel;

void main() {
    float height = float(textureSize(u_picture, 0).y);
    float y = v_uv.y * height - 0.5, row = floor(y);
    vec4 w = cubic_weights(y - row, u_kernel);
    vec4 rows = (clamp(vec4(row - 1.0, row, row + 1.0, row + 2.0), 0.0, height - 1.0) + 0.5) / height;
    float x = v_uv.x;
    frag_color = vec4(
        w.x * texture(u_picture, vec2(x, rows.x)).rgb + w.y * texture(u_picture, vec2(x, rows.y)).rgb +
        w.z * texture(u_picture, vec2(x, rows.z)).rgb + w.w * texture(u_picture, vec2(x, rows.w)).rgb, 1.0);
}
