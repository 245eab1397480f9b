#version 330
#include "common.glsl"
#include "paint.glsl"
// Anisotropic Kuwahara filter: brush dabs that lie along the forms. Each pixel takes the mean of the calmest of
// eight sectors of an ellipse that follows the strokes; edges stay, texture becomes paint.
//
// After Kyprianidis, Kang and Doellner, "Image and Video Abstraction by Anisotropic Kuwahara Filtering" (Pacific
// Graphics 2009), with six fixed taps in each sector instead of weights over the whole ellipse: a sixth of the work.
//
// Uniforms:
//   u_squashed  sampler2D  squashed          what squash.frag made
//   u_flow      sampler2D  tensor            smoothed structure tensor
//   u_brush     float      0..1         0.5  look: size of the dabs
//   u_pixel     vec2       parts             chain
//   u_unit      float      pixels            chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_squashed;
uniform sampler2D u_flow;
uniform float u_brush;
uniform vec2 u_pixel;
uniform float u_unit;

const float SHARPNESS = 6.0;  // exponent of the choice between sectors: higher is drier paint

void main() {
    vec3 along = stroke(texture(u_flow, v_uv).rgb);
    float radius = mix(2.5, 8.0, u_brush) * clamp(u_unit, 0.4, 2.0), stretch = 1.0 + 0.9 * along.z;
    mat2 ellipse = mat2(along.x, along.y, -along.y, along.x) * mat2(radius * stretch, 0.0, 0.0, radius / stretch);
    vec4 centre = texture(u_squashed, v_uv);
    vec4 total = vec4(0.0);
    for (int sector = 0; sector < 8; sector++) {
        float angle = float(sector) * PI / 4.0;
        mat2 turned = ellipse * mat2(cos(angle), sin(angle), -sin(angle), cos(angle));
        vec4 sum = centre * 0.8;
        float squares = centre.a * centre.a * 0.8;
        #define TAP(X, Y, W) { vec4 c = texture(u_squashed, v_uv + turned * vec2(X, Y) * u_pixel); sum += c * W; squares += c.a * c.a * W; }
        TAP(0.34, -0.06, 1.0) TAP(0.52, 0.20, 0.85) TAP(0.62, -0.18, 0.75)
        TAP(0.78, 0.12, 0.6) TAP(0.92, -0.28, 0.45) TAP(0.96, 0.30, 0.4)
        sum /= 4.85;
        float variance = max(squares / 4.85 - sum.a * sum.a, 0.0);
        float weight = pow(1.0 / (1.0 + 900.0 * variance), SHARPNESS * 0.5);
        total += vec4(sum.rgb, 1.0) * weight;
    }
    vec3 color = total.rgb / total.a;
    frag_color = vec4(color, luminance(color));
}
