#version 330
// Structure tensor: how much a picture changes along x, along y, and both together (Sobel).
//
// Uniforms:
//   u_squashed  sampler2D  squashed              what squash.frag made
//   u_pixel     vec2       parts of the source   chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_squashed;
uniform vec2 u_pixel;

float at(float x, float y) { return texture(u_squashed, v_uv + vec2(x, y) * u_pixel).a; }

void main() {
    float a = at(-1.0, -1.0), b = at(0.0, -1.0), c = at(1.0, -1.0), d = at(-1.0, 0.0);
    float e = at(1.0, 0.0), f = at(-1.0, 1.0), g = at(0.0, 1.0), h = at(1.0, 1.0);
    vec2 change = vec2(c + 2.0 * e + h - a - 2.0 * d - f, f + 2.0 * g + h - a - 2.0 * b - c) * 0.25;
    frag_color = vec4(change.x * change.x, change.y * change.y, change.x * change.y, 1.0);
}
