#version 330
// Places the overlay's triangles.
//
// Inputs: in_position (pixels of the canvas, y down), in_uv (parts of the glyph sheet), in_color (encoded, with alpha).
// Uniforms:
//   u_size  vec2  pixels  canvas   renderer

in vec2 in_position;
in vec2 in_uv;
in vec4 in_color;
out vec2 v_uv;
out vec4 v_color;
uniform vec2 u_size;

void main() {
    v_uv = in_uv;
    v_color = in_color;
    gl_Position = vec4(in_position / u_size * 2.0 - 1.0, 0.0, 1.0);
}
