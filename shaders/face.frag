#version 330
#include "common.glsl"
// The generated face, pasted back: enlarged by Catmull-Rom, matched in light, mixed into the camera picture in light.
//
// Drawn opaque and only inside the mask, so outside it the camera picture stays as it is.
//
// Uniforms:
//   u_picture  sampler2D  encoded                   the mixed pictures side by side; linear filter
//   u_camera   sampler2D  encoded                   the camera picture
//   u_tiles    float      pictures in u_picture  1  renderer; the first one is pasted
//   u_grain    float      0..1                   0  config
//   u_fade     float      0..1                   0  scene: 1 is black
//   u_seed     float      any                    0  scene: changes from frame to frame

in vec2 v_camera;
in vec2 v_uv;
in float v_alpha;
in vec3 v_gain;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_camera;
uniform float u_tiles;
uniform float u_grain;
uniform float u_fade;
uniform float u_seed;

const float FLOOR = 0.01;               // light under which noise decides the ratio
const float FRONT = 0.25, LEVEL = 0.55; // camera over face: surely in front of it, surely the same skin
const float EDGE = 0.2, CORE = 0.7;     // part of the feather where that counts: no real eye or brow shows through

void main() {
    float columns = float(textureSize(u_picture, 0).x) / u_tiles;
    vec3 face = linear_from_srgb(enlarged(u_picture, vec2(v_uv.x / u_tiles, v_uv.y), 0.0, columns - 1.0)) * v_gain;
    vec3 camera = linear_from_srgb(texture(u_camera, v_camera).rgb);
    float alpha = v_alpha * v_alpha * (3.0 - 2.0 * v_alpha);
    // Hair, a beard or the arms of glasses over the edge stay in front: what is far darker than the face there.
    float lighter = (luminance(camera) + FLOOR) / (luminance(face) + FLOOR);
    alpha *= 1.0 - (1.0 - smoothstep(FRONT, LEVEL, lighter)) * (1.0 - smoothstep(EDGE, CORE, v_alpha));
    vec3 color = srgb_from_linear(mix(camera, face, alpha));
    color += hash_triangle(gl_FragCoord.xy + u_seed) * (u_grain * 0.08 + 1.0 / 255.0) * alpha;
    frag_color = vec4(clamp(color, 0.0, 1.0) * (1.0 - u_fade), 1.0);
}
