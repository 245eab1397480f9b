// Shared by the painterly looks; needs common.glsl before it.
//
// "Squashed" pictures are the square root of light, near what eyes find even, in bytes; alpha holds their luminance.
// A flow is the smoothed structure tensor (xx, yy, xy) of a squashed picture.

// Direction along the strokes, the eigenvector of the smaller change, as a unit vector; and how clear it is, 0..1.
vec3 stroke(vec3 tensor) {
    float sum = tensor.x + tensor.y, difference = tensor.x - tensor.y;
    float root = sqrt(difference * difference + 4.0 * tensor.z * tensor.z);
    float larger = 0.5 * (sum + root);
    vec2 along = vec2(larger - tensor.x, -tensor.z);
    float size = length(along);
    return vec3(size > 1e-6 ? along / size : vec2(0.0, 1.0), sum > 1e-6 ? root / sum : 0.0);
}

// Height of rough paper, about 0..1 around 0.5; position in paper grains.
float paper_height(vec2 position) {
    return 0.5 * value_noise(position) + 0.3 * value_noise(position * 2.3 + 7.1) + 0.2 * value_noise(position * 0.31 + 3.3);
}

// Weave of canvas, 0..1; position in threads.
float weave(vec2 position) {
    vec2 cell = floor(position), f = position - cell - 0.5;
    bool over = mod(cell.x + cell.y, 2.0) < 0.5;
    float ridge = over ? 1.0 - 2.0 * abs(f.x) : 1.0 - 2.0 * abs(f.y);
    float bow = over ? 1.0 - 3.0 * f.y * f.y : 1.0 - 3.0 * f.x * f.x;
    return clamp(0.25 + 0.55 * sqrt(max(ridge, 0.0)) * bow + 0.2 * hash(cell), 0.0, 1.0);
}

// 1 inside the picture, falling to 0 toward its border along a torn, wandering line. width: parts of the shorter side.
float torn_border(vec2 uv, float aspect, float width) {
    vec2 side = min(uv, 1.0 - uv) * vec2(max(aspect, 1.0), max(1.0 / aspect, 1.0));
    vec2 at = uv * vec2(aspect, 1.0) * 9.0;
    float wander = value_noise(at) * 0.55 + value_noise(at * 3.1) * 0.3 + value_noise(at * 9.7) * 0.15;
    return smoothstep(0.25, 0.75, min(side.x, side.y) / width - 1.1 * wander + 0.3);
}
