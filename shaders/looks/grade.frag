#version 330
#include "common.glsl"
// Colour grade in light: bloom, coloured edge, temperature, lift, gamma, gain, contrast, saturation.
//
// Uniforms:
//   u_picture      sampler2D  linear                 the working picture
//   u_bloom        sampler2D  linear                 blurred highlights
//   u_bloom_gain   float      0..4          0.5      look
//   u_edge         float      0..1          0.1      look: coloured fringe toward the border
//   u_temperature  float      -1..1         0        look: -1 is blue, 1 is amber
//   u_lift         vec3       -0.2..0.2     0        look: added to the shadows
//   u_gamma        vec3       0.2..5        1        look: over 1 is lighter in the middle
//   u_gain         vec3       0..4          1        look: times the lights
//   u_contrast     float      0..2          1        look: around middle grey
//   u_saturation   float      0..2          1        look

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_bloom;
uniform float u_bloom_gain;
uniform float u_edge;
uniform float u_temperature;
uniform vec3 u_lift;
uniform vec3 u_gamma;
uniform vec3 u_gain;
uniform float u_contrast;
uniform float u_saturation;

const float MIDDLE_GREY = 0.18;

void main() {
    vec2 out_from = v_uv - 0.5;
    vec2 shift = out_from * dot(out_from, out_from) * u_edge * 0.06;
    vec3 light = vec3(texture(u_picture, v_uv + shift).r, texture(u_picture, v_uv).g, texture(u_picture, v_uv - shift).b);
    light += texture(u_bloom, v_uv).rgb * u_bloom_gain;
    light *= mix(vec3(1.0), vec3(1.0 + 0.30 * u_temperature, 1.0, 1.0 - 0.38 * u_temperature), abs(u_temperature));
    light = pow(max(light * u_gain + u_lift * (1.0 - light), 0.0), 1.0 / u_gamma);
    light = MIDDLE_GREY * pow(light / MIDDLE_GREY, vec3(u_contrast));
    light = mix(vec3(luminance(light)), light, u_saturation);
    frag_color = vec4(max(light, 0.0), 1.0);
}
