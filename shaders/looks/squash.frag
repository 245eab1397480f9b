#version 330
#include "common.glsl"
// Light to its square root, in bytes, for looks that judge a picture as eyes do; alpha is the luminance of that.
//
// Uniforms:
//   u_picture  sampler2D  linear   the working picture

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;

void main() {
    vec3 color = sqrt(max(texture(u_picture, v_uv).rgb, 0.0));
    frag_color = vec4(color, luminance(color));
}
