#version 330
#include "common.glsl"
// Colours through a table, encoded in and out as .cube files are.
//
// Uniforms:
//   u_picture  sampler2D  linear         the working picture
//   u_lut      sampler3D  encoded        red across, green down, blue deep
//   u_amount   float      0..1      1    look

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler3D u_lut;
uniform float u_amount;

void main() {
    vec3 light = texture(u_picture, v_uv).rgb;
    float size = float(textureSize(u_lut, 0).x);
    vec3 at = clamp(srgb_from_linear(light), 0.0, 1.0) * (size - 1.0) / size + 0.5 / size;
    frag_color = vec4(mix(light, linear_from_srgb(texture(u_lut, at).rgb), u_amount), 1.0);
}
