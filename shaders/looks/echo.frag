#version 330
// Feedback trail: what was there fades and drifts outward under what is there now.
//
// Uniforms:
//   u_picture  sampler2D  linear           the working picture
//   u_before   sampler2D  linear           this pass, one frame ago
//   u_trail    float      0..1        0.7  look: how long the trail is
//   u_drift    float      -1..1       0.2  look: over 0 it grows, under 0 it shrinks

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_before;
uniform float u_trail;
uniform float u_drift;

void main() {
    vec2 uv = (v_uv - 0.5) * (1.0 - 0.012 * u_drift) + 0.5;
    vec3 now = texture(u_picture, v_uv).rgb;
    vec3 before = texture(u_before, uv).rgb;
    float keep = 0.96 * sqrt(u_trail);
    frag_color = vec4(max(mix(now, before, keep * 0.85), before * keep * 0.9), 1.0);
}
