#version 330
#include "common.glsl"
// Prism: colours part along a slowly turning direction, most at the border, in seven steps of the spectrum.
//
// Uniforms:
//   u_picture  sampler2D  linear            the working picture
//   u_amount   float      0..1         0.5  look: how far colours part
//   u_time     float      seconds           chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_amount;
uniform float u_time;

void main() {
    vec2 out_from = v_uv - 0.5;
    vec2 drift = vec2(cos(u_time * 0.2), sin(u_time * 0.2)) * 0.006;
    vec2 reach = (out_from * dot(out_from, out_from) * 0.16 + drift) * u_amount;
    vec3 sum = vec3(0.0), weights = vec3(0.0);
    for (int k = 0; k < 7; k++) {
        float x = float(k) / 6.0;
        vec3 tint = max(vec3(1.0 - 2.4 * abs(x - 0.12), 1.0 - 2.6 * abs(x - 0.5), 1.0 - 2.4 * abs(x - 0.88)), 0.0);
        sum += texture(u_picture, v_uv + reach * (2.0 * x - 1.0)).rgb * tint;
        weights += tint;
    }
    frag_color = vec4(sum / weights, 1.0);
}
