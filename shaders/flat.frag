#version 330
// The overlay: letters, bars and lines in one draw call. Straight alpha.
//
// Uniforms:
//   u_glyphs  sampler2D  coverage      glyph sheet; its first cell is solid

in vec2 v_uv;
in vec4 v_color;
out vec4 frag_color;
uniform sampler2D u_glyphs;

void main() {
    frag_color = vec4(v_color.rgb, v_color.a * texture(u_glyphs, v_uv).r);
}
