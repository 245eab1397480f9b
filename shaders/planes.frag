#version 330
// Makes colours of what the networks give: planes of numbers, nominally -1..1, become encoded bytes, the pictures side by
// side. Values beyond are clamped and those that are no numbers become black. Runs at the size of the pictures.
//
// Uniforms:
//   u_planes  sampler2DArray  -1..1  red, green and blue of the first picture, of the second ...

in vec2 v_uv;
out vec4 frag_color;
uniform sampler2DArray u_planes;

float code(ivec2 at, int plane) {
    float value = texelFetch(u_planes, ivec3(at, plane), 0).r;
    return isnan(value) ? 0.0 : floor(clamp(value * 127.5 + 128.0, 0.0, 255.0)) / 255.0;
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    int side = textureSize(u_planes, 0).x;
    int first = 3 * (at.x / side);
    at.x %= side;
    frag_color = vec4(code(at, first), code(at, first + 1), code(at, first + 2), 1.0);
}
