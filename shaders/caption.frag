#version 330
// One line of type with a soft shadow, over whatever is there. Premultiplied alpha, encoded colours.
//
// Uniforms:
//   u_type    sampler2D  coverage         red: letters, green: shadow
//   u_ink     vec3       encoded          colour of the letters
//   u_alpha   float      0..1       1     captions: fade times opacity
//   u_shadow  float      0..1       0.6   captions: how dark the shadow is

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_type;
uniform vec3 u_ink;
uniform float u_alpha;
uniform float u_shadow;

void main() {
    vec2 type = texture(u_type, v_uv).rg;
    float alpha = type.r + type.g * u_shadow * (1.0 - type.r);
    frag_color = vec4(u_ink * type.r, alpha) * u_alpha;
}
