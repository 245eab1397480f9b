#version 330
#include "common.glsl"
// The brightness of a picture at twice its size, smoothly enlarged: where crisp.frag looks for edges.
//
// Uniforms:
//   u_picture  sampler2D  encoded                   tiles side by side; linear filter
//   u_tiles    float      pictures in u_picture  1  renderer

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_tiles;

void main() {
    float columns = float(textureSize(u_picture, 0).x) / u_tiles, first = floor(v_uv.x * u_tiles) * columns;
    frag_color = vec4(dot(enlarged(u_picture, v_uv, first, first + columns - 1.0), vec3(0.30, 0.59, 0.11)));
}
