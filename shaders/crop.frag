#version 330
// The followed face as the camera sees it, framed like its reflection. Beyond the camera picture's edge it is mirrored.
//
// Uniforms:
//   u_camera    sampler2D  encoded            the camera picture; linear filter
//   u_fade      float      0..1     0         scene: 1 is black

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_camera;
uniform float u_fade;

void main() {
    vec2 uv = 1.0 - abs(1.0 - abs(v_uv));
    frag_color = vec4(texture(u_camera, uv).rgb * (1.0 - u_fade), 1.0);
}
