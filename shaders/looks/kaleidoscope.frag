#version 330
#include "common.glsl"
// Kaleidoscope: the picture folded into mirrored wedges.
//
// Uniforms:
//   u_picture  sampler2D  linear                 the working picture
//   u_wedges   float      2..12            6     look: number of wedges
//   u_turn     float      turns a minute   1     look: speed
//   u_amount   float      0..1             1     look: 0 is the picture itself
//   u_time     float      seconds                chain
//   u_aspect   float      width/height           chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_wedges;
uniform float u_turn;
uniform float u_amount;
uniform float u_time;
uniform float u_aspect;

void main() {
    vec2 shape = vec2(max(u_aspect, 1.0), max(1.0 / u_aspect, 1.0));
    vec2 p = (v_uv - 0.5) * shape;
    float wedge = 2.0 * PI / max(2.0, floor(u_wedges));
    float turn = u_time * u_turn * 2.0 * PI / 60.0;
    float angle = atan(p.y, p.x) + turn;
    angle = abs(mod(angle, wedge) - 0.5 * wedge);
    vec2 folded = length(p) * vec2(cos(angle - 0.5 * PI), sin(angle - 0.5 * PI)) / shape + vec2(0.5, 0.52);
    folded = 1.0 - abs(1.0 - abs(folded));
    frag_color = texture(u_picture, mix(v_uv, folded, u_amount));
}
