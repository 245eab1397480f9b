#version 330
// Gaussian along one direction: nine weights in five filtered taps. Twice, across and down, blurs a picture.
//
// Uniforms:
//   u_picture  sampler2D  any                        linear filter
//   u_step     vec2       pixels of the pass  1, 0   look: direction, longer is softer
//   u_pixel    vec2       parts of the source        chain

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2D u_picture;
uniform vec2 u_step;
uniform vec2 u_pixel;

void main() {
    vec2 near = u_step * u_pixel * 1.3846153846, far = u_step * u_pixel * 3.2307692308;
    frag_color = texture(u_picture, v_uv) * 0.2270270270 +
                 (texture(u_picture, v_uv + near) + texture(u_picture, v_uv - near)) * 0.3162162162 +
                 (texture(u_picture, v_uv + far) + texture(u_picture, v_uv - far)) * 0.0702702703;
}
