#version 330
// What was on the canvas before a change of view or look, fading out over what comes. Straight alpha.
//
// Uniforms:
//   u_held   sampler2D  encoded         the canvas as it was
//   u_alpha  float      0..1       1    renderer

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_held;
uniform float u_alpha;

void main() { frag_color = vec4(texture(u_held, v_uv).rgb, u_alpha); }
