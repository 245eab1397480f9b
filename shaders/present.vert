#version 330
// Puts the upright canvas on a screen: rotation and corner pin. The one place where y is turned round.
//
// Inputs: in_position (0..1, 0..1), y down.
// Uniforms:
//   u_screen_from_canvas  mat3  homography, parts of the canvas to parts of the screen, y down   surface

in vec2 in_position;
out vec2 v_uv;
uniform mat3 u_screen_from_canvas;

void main() {
    v_uv = in_position;
    vec3 p = u_screen_from_canvas * vec3(in_position, 1.0);
    // Keeping w lets the rasteriser interpolate with perspective, which is what a homography is.
    gl_Position = vec4(p.x * 2.0 - p.z, p.z - p.y * 2.0, 0.0, p.z);
}
