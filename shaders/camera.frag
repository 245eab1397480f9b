#version 330
// The camera picture as it came: no conversion, no grain, no dither, so that at its own size it is untouched to the bit.
//
// Uniforms:
//   u_camera  sampler2D  encoded      the camera picture
//   u_fade    float      0..1    0    scene: 1 is black

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_camera;
uniform float u_fade;

void main() {
    frag_color = vec4(texture(u_camera, v_uv).rgb * (1.0 - u_fade), 1.0);
}
