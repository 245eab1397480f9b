#version 330
#include "common.glsl"
// Mixes the newest picture of the generator into what was shown when it arrived. Runs at the picture's size.
//
// Mixing is done in light. The result is encoded again, because the next passes enlarge it, and enlarging
// light rings dark halos beside bright edges.
//
// Uniforms:
//   u_shown   sampler2D  encoded                what was shown when the newest picture arrived
//   u_newest  sampler2D  sRGB texture           the newest picture; sampling gives linear light
//   u_level   float      mip level  0..10   0   renderer: level of u_newest that has this pass's size
//   u_blend   float      0..1               1   scene

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_shown;
uniform sampler2D u_newest;
uniform float u_level;
uniform float u_blend;

void main() {
    vec3 shown = linear_from_srgb(texture(u_shown, v_uv).rgb);
    vec3 newest = textureLod(u_newest, v_uv, u_level).rgb;
    frag_color = vec4(srgb_from_linear(mix(shown, newest, u_blend)), 1.0);
}
