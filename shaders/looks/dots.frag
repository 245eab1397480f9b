#version 330
#include "common.glsl"
// Dot art: a turned, staggered grid of round dabs of pure colour on a dark ground, as large as they are bright.
//
// Uniforms:
//   u_picture  sampler2D  linear            the working picture, softened; linear filter
//   u_size     float      0..1         0.4  look: size of the dots
//   u_ground   float      0..1         0.1  look: how bright the ground is
//   u_pixel    vec2       parts             chain
//   u_unit     float      pixels            chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform float u_size;
uniform float u_ground;
uniform vec2 u_pixel;
uniform float u_unit;

void main() {
    float pitch = max(3.0, mix(3.75, 16.5, u_size * u_size) * u_unit);
    const float turn = 0.26;
    mat2 turned = mat2(cos(turn), sin(turn), -sin(turn), cos(turn));
    vec2 at = turned * (v_uv / u_pixel) / pitch;
    float row = floor(at.y);
    float shift = 0.5 * mod(row, 2.0);
    vec2 cell = vec2(floor(at.x + shift) - shift + 0.5, row + 0.5);
    vec2 jitter = (vec2(hash(cell), hash(cell + 41.0)) - 0.5) * 0.16;
    vec2 centre = (cell + jitter) * pitch;
    vec3 light = texture(u_picture, (centre * turned) * u_pixel).rgb;  // v * M is the inverse turn
    float bright = sqrt(clamp(luminance(light), 0.0, 1.0));
    float radius = pitch * mix(0.16, 0.56, smoothstep(0.02, 0.85, bright));
    float gap = length(at * pitch - centre);
    float inside = 1.0 - smoothstep(radius - 0.8, radius + 0.8, gap);
    float dome = 1.0 + 0.25 * (1.0 - gap / max(radius, 0.5));  // thick paint: a little lighter in the middle
    vec3 color = mix(vec3(luminance(light)), light, 1.35) * 1.25 * dome;
    vec3 ground = light * u_ground * 0.35 + vec3(0.0035, 0.0030, 0.0040);
    frag_color = vec4(max(mix(ground, color, inside), 0.0), 1.0);
}
