#version 330
#include "common.glsl"
// The end of a look: enlarges the working picture to the canvas, turns light into sRGB once, adds grain, vignette, dither.
//
// Uniforms:
//   u_picture    sampler2D  linear              what the look made; linear filter
//   u_sharpness  float      0..1          1     look: 0 filtered, 1 Catmull-Rom
//   u_grain      float      0..1          0     look
//   u_grain_px   float      pixels  1..8  1     renderer: size of a grain, grows with the canvas
//   u_vignette   float      0..1          0     look
//   u_fade       float      0..1          0     scene: 1 is black
//   u_seed       float      any           0     scene: changes from frame to frame

in vec2 v_uv;
in vec2 v_local;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_sharpness;
uniform float u_grain;
uniform float u_grain_px;
uniform float u_vignette;
uniform float u_fade;
uniform float u_seed;

void main() {
    vec3 light = texture(u_picture, v_uv).rgb;
    if (u_sharpness > 0.0) {
        vec2 size = vec2(textureSize(u_picture, 0));
        light = mix(light, enlarged(u_picture, v_uv, 0.0, size.x - 1.0), u_sharpness);
    }
    vec2 corner = v_local - 0.5;
    light *= 1.0 - u_vignette * smoothstep(0.12, 0.62, dot(corner, corner));
    vec3 color = srgb_from_linear(max(light, 0.0));
    vec2 cell = floor(gl_FragCoord.xy / u_grain_px) + u_seed;
    float grey = clamp(dot(color, vec3(0.299, 0.587, 0.114)), 0.0, 1.0);
    color += hash_triangle(cell) * (u_grain * 0.16 * grey * (1.0 - grey) + 1.0 / 255.0);
    frag_color = vec4(clamp(color, 0.0, 1.0) * (1.0 - u_fade), 1.0);
}
