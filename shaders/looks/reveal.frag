#version 330
#include "common.glsl"
// Reveals: the picture opens out of its own blurred dusk, through an iris, by brightness, or by drifting noise.
//
// Uniforms:
//   u_picture  sampler2D  linear            the working picture
//   u_soft     sampler2D  linear            the same, blurred
//   u_open     float      0..1         1    look: how far it is open
//   u_mode     float      0, 1, 2      0    look: iris, brightness, noise
//   u_feather  float      0..1         0.3  look: width of the edge
//   u_time     float      seconds           chain
//   u_aspect   float      width/height      chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_soft;
uniform float u_open;
uniform float u_mode;
uniform float u_feather;
uniform float u_time;
uniform float u_aspect;

void main() {
    vec3 light = texture(u_picture, v_uv).rgb, soft = texture(u_soft, v_uv).rgb;
    vec2 shape = vec2(max(u_aspect, 1.0), max(1.0 / u_aspect, 1.0));
    float when;                                         // at which opening this place is revealed, 0..1
    if (u_mode < 0.5) {
        when = length((v_uv - vec2(0.5, 0.52)) * shape) / (0.72 * length(shape) / 1.4142);
    } else if (u_mode < 1.5) {
        when = 1.0 - sqrt(clamp(luminance(soft), 0.0, 1.0));
    } else {
        vec2 at = v_uv * shape * 5.0 + vec2(0.0, u_time * 0.03);
        when = value_noise(at) * 0.6 + value_noise(at * 2.7 + 5.0) * 0.28 + value_noise(at * 9.0) * 0.12;
    }
    float feather = mix(0.01, 0.5, u_feather);
    float shown = smoothstep(0.0, feather, u_open * (1.0 + feather) - clamp(when, 0.0, 1.0));
    vec3 dusk = vec3(luminance(soft)) * vec3(0.055, 0.060, 0.075);
    frag_color = vec4(mix(dusk, light, shown), 1.0);
}
