#version 330
#include "common.glsl"
// Slit scan: each line of the picture comes from another moment; the face flows through time.
//
// Uniforms:
//   u_picture  sampler2D  linear            the working picture, now
//   u_strip    sampler2D  square root       film strip of earlier frames, 6 x 5 cells
//   u_amount   float      0..1         0.7  look: how far back the last line reaches
//   u_slant    float      0..1         0.0  look: 0 by height, 1 by width
//   u_head     float      cells             chain: the newest cell

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform sampler2D u_strip;
uniform float u_amount;
uniform float u_slant;
uniform float u_head;

const vec2 CELLS = vec2(6.0, 5.0);

vec3 frame(float back) {
    float cell = mod(u_head - back + 30.0, 30.0);
    vec2 corner = vec2(mod(cell, CELLS.x), floor(cell / CELLS.x));
    vec2 inset = 0.5 / (vec2(textureSize(u_strip, 0)) / CELLS);  // filtering must not reach into the next cell
    vec3 root = texture(u_strip, (corner + clamp(v_uv, inset, 1.0 - inset)) / CELLS).rgb;
    return root * root;
}

void main() {
    float line = mix(v_uv.y, v_uv.x, u_slant);
    float back = clamp(line * line * u_amount * 28.0, 0.0, 28.0), whole = floor(back);
    vec3 light = mix(frame(whole), frame(whole + 1.0), back - whole);
    frag_color = vec4(mix(texture(u_picture, v_uv).rgb, light, smoothstep(0.0, 1.5, back)), 1.0);
}
