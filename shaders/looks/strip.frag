#version 330
// Copies the working picture into the next cell of a film strip.
//
// Uniforms:
//   u_picture  sampler2D  linear   the working picture

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;

void main() { frag_color = vec4(sqrt(max(texture(u_picture, v_uv).rgb, 0.0)), 1.0); }
