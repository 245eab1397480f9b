#version 330
// The canvas on a screen, with soft edges for overlapping projectors.
//
// Uniforms:
//   u_canvas  sampler2D  encoded             the finished canvas
//   u_edges   vec4       parts  0..1  0      config: width of the soft edge left, right, top, bottom

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_canvas;
uniform vec4 u_edges;

// Two overlapping ramps must add up in light; a screen's curve is near a power of 2.2.
float ramp(float distance_in, float width) {
    return width > 0.0 ? pow(clamp(distance_in / width, 0.0, 1.0), 1.0 / 2.2) : 1.0;
}

void main() {
    float edge = ramp(v_uv.x, u_edges.x) * ramp(1.0 - v_uv.x, u_edges.y) *
                 ramp(v_uv.y, u_edges.z) * ramp(1.0 - v_uv.y, u_edges.w);
    frag_color = vec4(texture(u_canvas, v_uv).rgb * edge, 1.0);
}
