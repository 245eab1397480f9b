#version 330
#include "common.glsl"
#include "paint.glsl"
// Watercolour: flat washes with dark rims, pigment that settles in the paper, and bare paper toward the border.
//
// After Bousseau et al., "Interactive Watercolor Rendering with Temporal Coherence and Abstraction" (NPAR 2006):
// color - (color - color^2)(density - 1) thins or thickens a wash.
//
// Uniforms:
//   u_paint   sampler2D  squashed          what kuwahara.frag made
//   u_soft    sampler2D  squashed          the same, blurred
//   u_wet     float      0..1         0.5  look: how far the washes run
//   u_grains  float      0..1         0.5  look: how rough the paper is
//   u_border  float      0..1         0.5  look: how much paper stays bare
//   u_pixel   vec2       parts             chain
//   u_unit    float      pixels            chain
//   u_aspect  float      width/height      chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_paint;
uniform sampler2D u_soft;
uniform float u_wet;
uniform float u_grains;
uniform float u_border;
uniform vec2 u_pixel;
uniform float u_unit;
uniform float u_aspect;

const vec3 PAPER = vec3(0.965, 0.950, 0.915);

void main() {
    vec2 at = v_uv / u_pixel / u_unit;
    vec2 run = vec2(value_noise(at * 0.045), value_noise(at * 0.045 + 19.0)) - 0.5;
    run += 0.4 * (vec2(value_noise(at * 0.17 + 5.0), value_noise(at * 0.17 + 31.0)) - 0.5);
    vec2 uv = v_uv + run * u_pixel * u_unit * mix(1.0, 9.0, u_wet);
    vec4 wash = texture(u_paint, uv), soft = texture(u_soft, uv);
    float rim = abs(wash.a - soft.a);
    float height = paper_height(at * 0.45);
    float pools = value_noise(at * 0.018 + 11.0) * 0.65 + value_noise(at * 0.06 + 3.0) * 0.35;
    float density = 1.0 + 0.75 * (pools - 0.5) + 3.4 * min(rim, 0.22) + u_grains * 1.1 * (0.5 - height);
    vec3 color = mix(vec3(luminance(wash.rgb)), wash.rgb, 1.25);
    color = 1.0 - (1.0 - clamp(color * 1.12 + 0.10, 0.0, 1.0)) * 0.92;
    color = clamp(color - (color - color * color) * (density - 1.0), 0.0, 1.0);
    float painted = mix(1.0, torn_border(v_uv, u_aspect, 0.02 + 0.16 * u_border), smoothstep(0.0, 0.05, u_border));
    vec3 paper = PAPER * (1.0 + 0.05 * u_grains * (height - 0.5));
    color = mix(paper, color * paper, painted);
    frag_color = vec4(color * color, 1.0);
}
