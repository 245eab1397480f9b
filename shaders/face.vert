#version 330
// Places the face mask of the mirror view: a fan inside, a feathered strip around it.
//
// Inputs:
//   in_position  parts of the camera picture, x right, y down
//   in_uv        parts of the generated picture (the crop quad)
//   in_alpha     1 inside, 0 at the outer edge
//   in_gain      factors for linear red, green and blue that match the light around
// Uniforms:
//   u_rect    vec4  parts of the target  x, y, width, height  whole  layout: where the camera picture lies
//   u_source  vec4  parts of the source  x, y, width, height  whole  layout: which part of it is shown; negative mirrors

in vec2 in_position;
in vec2 in_uv;
in float in_alpha;
in vec3 in_gain;
out vec2 v_camera;
out vec2 v_uv;
out float v_alpha;
out vec3 v_gain;
uniform vec4 u_rect = vec4(0.0, 0.0, 1.0, 1.0);
uniform vec4 u_source = vec4(0.0, 0.0, 1.0, 1.0);

void main() {
    v_camera = in_position;
    v_uv = in_uv;
    v_alpha = in_alpha;
    v_gain = in_gain;
    vec2 placed = (in_position - u_source.xy) / u_source.zw;
    gl_Position = vec4((u_rect.xy + placed * u_rect.zw) * 2.0 - 1.0, 0.0, 1.0);
}
