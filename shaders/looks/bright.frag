#version 330
#include "common.glsl"
// What is bright enough to bloom, with a soft knee.
//
// Uniforms:
//   u_picture  sampler2D  linear         the working picture
//   u_knee     float      0..1      0.5  look: where it begins

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_knee;

void main() {
    vec3 light = texture(u_picture, v_uv).rgb;
    float over = smoothstep(u_knee * 0.5, u_knee * 0.5 + 0.6, luminance(light));
    frag_color = vec4(light * over, 1.0);
}
