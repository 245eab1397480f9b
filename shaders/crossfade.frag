#version 330
// Mixes the newest picture of the generator into what was shown when it arrived. Runs at the shown size.
//
// Mixing is done in light, taken as the square of encoded values: that is exact at both ends, near sRGB's curve between
// them, and free of powers. The result is encoded, because the next passes enlarge it, and enlarging light rings dark
// halos beside bright edges. A picture larger than its place is averaged over boxes, in light too.
//
// Uniforms:
//   u_shown   sampler2D  encoded              what was shown when the newest picture arrived
//   u_newest  sampler2D  encoded              the newest picture
//   u_box     float      texels  1, 2, 4   1  renderer: side of the box that becomes one pixel
//   u_blend   float      0..1              1  scene

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_shown;
uniform sampler2D u_newest;
uniform float u_box;
uniform float u_blend;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    int box = int(u_box);
    vec3 newest = vec3(0.0);
    for (int y = 0; y < box; y++) {
        for (int x = 0; x < box; x++) {
            vec3 texel = texelFetch(u_newest, at * box + ivec2(x, y), 0).rgb;
            newest += texel * texel;
        }
    }
    newest /= u_box * u_box;
    vec3 shown = texelFetch(u_shown, at, 0).rgb;
    // mix(x, y, 1.0) is not y to the bit on every driver, and what was shown must leave no trace.
    vec3 mixed = u_blend < 1.0 ? mix(shown * shown, newest, u_blend) : newest;
    frag_color = vec4(sqrt(mixed), 1.0);
}
