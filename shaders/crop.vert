#version 330
// Places a unit square on the target and a turned square of the source on it.
//
// Inputs: in_position (0..1, 0..1), y down.
// Uniforms:
//   u_rect    vec4  parts of the target  x, y, width, height  whole target  layout
//   u_corner  vec2  parts of the source  the square's top-left corner                    crop quad
//   u_side_x  vec2  parts of the source  from there to its top-right corner              crop quad
//   u_side_y  vec2  parts of the source  from there to its bottom-left corner            crop quad
// Outputs: v_uv in the source; may lie outside 0..1.

in vec2 in_position;
out vec2 v_uv;
uniform vec4 u_rect;
uniform vec2 u_corner;
uniform vec2 u_side_x;
uniform vec2 u_side_y;

void main() {
    v_uv = u_corner + in_position.x * u_side_x + in_position.y * u_side_y;
    gl_Position = vec4((u_rect.xy + in_position * u_rect.zw) * 2.0 - 1.0, 0.0, 1.0);
}
