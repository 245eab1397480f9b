#version 330
// Places a unit square on the target.
//
// Inputs: in_position (0..1, 0..1), y down.
// Uniforms:
//   u_rect    vec4  parts of the target  x, y, width, height   whole target  layout
//   u_source  vec4  parts of the source  x, y, width, height   whole source  layout; negative width mirrors
// Outputs: v_uv in the source, v_local 0..1 in the square.

in vec2 in_position;
out vec2 v_uv;
out vec2 v_local;
uniform vec4 u_rect = vec4(0.0, 0.0, 1.0, 1.0);
uniform vec4 u_source = vec4(0.0, 0.0, 1.0, 1.0);

void main() {
    v_local = in_position;
    v_uv = u_source.xy + in_position * u_source.zw;
    gl_Position = vec4((u_rect.xy + in_position * u_rect.zw) * 2.0 - 1.0, 0.0, 1.0);
}
