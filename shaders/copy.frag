#version 330
// Copies a part of a picture as it is.
//
// Uniforms:
//   u_picture  sampler2D  any   linear filter

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;

void main() { frag_color = vec4(texture(u_picture, v_uv).rgb, 1.0); }
