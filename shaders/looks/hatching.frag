#version 330
#include "common.glsl"
#include "paint.glsl"
// Pen and ink: layers of hatching that come in one after the other as tones darken, bent along the forms, with outlines.
//
// Uniforms:
//   u_squashed  sampler2D  squashed          what squash.frag made
//   u_soft      sampler2D  squashed          the same, blurred
//   u_flow      sampler2D  tensor            smoothed structure tensor
//   u_fine      float      0..1         0.5  look: how close the lines lie
//   u_ink       float      0..1         0.6  look: how much is inked
//   u_pixel     vec2       parts             chain
//   u_unit      float      pixels            chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_squashed;
uniform sampler2D u_soft;
uniform sampler2D u_flow;
uniform float u_fine;
uniform float u_ink;
uniform vec2 u_pixel;
uniform float u_unit;

const vec3 PAPER = vec3(0.950, 0.930, 0.885);
const vec3 INK = vec3(0.075, 0.080, 0.115);

// Ink of one layer: lines at `angle`, as thick as the darkness beyond `from` asks.
float layer(vec2 at, float angle, float spacing, float dark, float from, float shake) {
    vec2 across = vec2(-sin(angle), cos(angle));
    float along = dot(at, vec2(cos(angle), sin(angle)));
    float where = dot(at, across) / spacing + shake + 0.5 * value_noise(vec2(along * 0.012, dot(at, across) / spacing * 0.15));
    float gap = abs(fract(where) - 0.5) * spacing;            // pixels from the line
    float lift = 0.8 + 0.4 * value_noise(vec2(along * 0.03 + angle * 9.0, floor(where)));  // the pen's pressure
    float width = clamp((dark - from) / 0.26, 0.0, 1.0) * 0.30 * spacing * lift;
    return width > 0.05 ? 1.0 - smoothstep(width - 0.55, width + 0.55, gap) : 0.0;
}

void main() {
    vec2 at = v_uv / u_pixel;
    vec3 along = stroke(texture(u_flow, v_uv).rgb);
    float fine = texture(u_squashed, v_uv).a, soft = texture(u_soft, v_uv).a;
    float dark = clamp(1.0 - fine * 1.06, 0.0, 1.0) * mix(0.55, 1.15, u_ink);
    float spacing = max(2.5, mix(6.75, 3.0, u_fine) * u_unit);
    float shake = 0.8 * (soft - 0.5) * 6.0 / spacing;         // forms bend the lines
    float ink = layer(at, -0.78, spacing, dark, 0.22, shake);
    ink = max(ink, layer(at, -0.32, spacing, dark, 0.44, shake));
    ink = max(ink, layer(at, 0.80, spacing, dark, 0.60, -shake));
    ink = max(ink, layer(at, 1.45, spacing * 0.8, dark, 0.76, shake));
    float edge = smoothstep(0.035, 0.085, soft - fine) * along.z;
    ink = max(ink, edge * 0.95);
    vec3 paper = PAPER * (0.985 + 0.03 * paper_height(at * 0.5));
    vec3 color = mix(paper, INK, ink * (0.86 + 0.14 * value_noise(at * 0.8)));
    frag_color = vec4(color * color, 1.0);
}
