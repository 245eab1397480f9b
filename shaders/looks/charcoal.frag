#version 330
#include "common.glsl"
#include "paint.glsl"
// Charcoal on rough paper: the teeth of the paper take dust by its darkness, lines along edges, a smudge under all.
//
// Uniforms:
//   u_squashed  sampler2D  squashed          what squash.frag made
//   u_soft      sampler2D  squashed          the same, blurred
//   u_flow      sampler2D  tensor            smoothed structure tensor
//   u_depth     float      0..1         0.5  look: how dark it is drawn
//   u_line      float      0..1         0.5  look: how strong lines are
//   u_tint      float      0..1         0.0  look: colour of the picture in the dust
//   u_pixel     vec2       parts             chain
//   u_unit      float      pixels            chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_squashed;
uniform sampler2D u_soft;
uniform sampler2D u_flow;
uniform float u_depth;
uniform float u_line;
uniform float u_tint;
uniform vec2 u_pixel;
uniform float u_unit;

const vec3 PAPER = vec3(0.925, 0.900, 0.850);
const vec3 DUST = vec3(0.115, 0.105, 0.105);

void main() {
    vec2 at = v_uv / u_pixel / u_unit;
    vec3 along = stroke(texture(u_flow, v_uv).rgb);
    vec4 here = texture(u_squashed, v_uv), soft = texture(u_soft, v_uv);
    float fine = 0.0;  // smoothed along the stroke, so that lines are drawn and not dotted
    for (int k = -2; k <= 2; k++) fine += texture(u_squashed, v_uv + along.xy * float(k) * 1.3 * u_pixel).a;
    fine *= 0.2;
    float edge = clamp((soft.a - fine) * 7.0, 0.0, 1.0);
    float dark = 1.0 - smoothstep(-0.05, 1.05, mix(fine, soft.a, 0.35));
    dark = pow(dark, mix(1.9, 0.75, u_depth));
    dark = clamp(dark + edge * u_line * 1.2, 0.0, 1.0);
    // Side strokes: noise stretched along one drawing direction, bent a little by the form.
    vec2 hand = normalize(vec2(0.72, -0.69) + 0.5 * along.xy * along.z);
    vec2 side = vec2(dot(at, hand) * 0.07, dot(at, vec2(-hand.y, hand.x)) * 0.5);
    float teeth = 0.62 * paper_height(at * 0.6) + 0.38 * value_noise(side);
    float dust = smoothstep(teeth - 0.30, teeth + 0.26, dark * 1.08);
    float smudge = dark * dark * 0.5;
    float cover = clamp(max(dust * (0.55 + 0.45 * dark), smudge), 0.0, 1.0);
    vec3 ink = mix(DUST, mix(DUST, here.rgb, 0.75), u_tint);
    vec3 color = mix(PAPER * (0.97 + 0.06 * (paper_height(at * 0.6) - 0.5)), ink, cover);
    frag_color = vec4(color * color, 1.0);
}
