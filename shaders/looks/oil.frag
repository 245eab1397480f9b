#version 330
#include "common.glsl"
#include "paint.glsl"
// Oil on canvas: bristle marks along the strokes, thick paint that catches light from the top left, a varnish of depth.
//
// Uniforms:
//   u_paint   sampler2D  squashed          what kuwahara.frag made
//   u_flow    sampler2D  tensor            smoothed structure tensor
//   u_relief  float      0..1         0.5  look: thickness of the paint
//   u_canvas  float      0..1         0.4  look: how much the weave shows
//   u_rich    float      0..1         0.4  look: saturation and depth of colour
//   u_pixel   vec2       parts             chain
//   u_unit    float      pixels            chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_paint;
uniform sampler2D u_flow;
uniform float u_relief;
uniform float u_canvas;
uniform float u_rich;
uniform vec2 u_pixel;
uniform float u_unit;

void main() {
    vec2 at = v_uv / u_pixel / u_unit;
    vec3 along = stroke(texture(u_flow, v_uv).rgb);
    // Bristles: noise that is long along the stroke and short across it.
    vec2 across = vec2(-along.y, along.x);
    float bristle = 0.0;
    for (int k = -2; k <= 2; k++) bristle += value_noise((at + along.xy * float(k) * 3.4) * 0.38);
    bristle = bristle / 5.0 - 0.5;
    vec4 paint = texture(u_paint, v_uv);
    float ahead = texture(u_paint, v_uv + vec2(1.2, 1.2) * u_pixel).a;
    float behind = texture(u_paint, v_uv - vec2(1.2, 1.2) * u_pixel).a;
    float slope = (behind - ahead) * 1.6;
    float thread = weave(at * 0.42) - 0.5;
    float thickness = 0.45 + 0.55 * paint.a;  // darks are thin and let the canvas through, lights are thick
    float light = slope * u_relief + bristle * u_relief * 1.1 * thickness + thread * u_canvas * 0.22 * (1.3 - thickness);
    vec3 color = paint.rgb * (1.0 + light * 0.9);
    color = mix(vec3(luminance(color)), color, 1.0 + 0.5 * u_rich);
    color = mix(color, color * color * (1.6 - 0.6 * color), 0.5 * u_rich);
    color += 0.5 * max(light - 0.12, 0.0) * u_relief;  // glints
    color = max(color, 0.0);
    frag_color = vec4(color * color, 1.0);
}
