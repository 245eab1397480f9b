#version 330
// The portrait: a ray-marched head drawn in its exact FFHQ crop. Made by engines/faces/renderer.py.
//
// | name              | type    | unit, range         | set by                                        |
// | u_parameters      | float[] | engines/faces/parameters.py, read as p_<name>  | the sampler or a read-out |
// | u_anchors         | float[] | cm, engines/faces/geometry.py, read as a_<name> | PortraitRenderer         |
// | u_world_from_head | mat3    | rotation about PIVOT | PortraitRenderer                             |
// | u_camera          | vec4    | crop centre x, y and half-size at unit distance; camera distance, cm   |
// | u_extent          | vec2    | viewport over its shorter side              | PortraitRenderer      |
//
// Colours are linear until grade(). frag_color: sRGB, alpha 1 on the person.

in vec2 v_ndc;
out vec4 frag_color;

uniform mat3 u_world_from_head;
uniform vec4 u_camera;
uniform vec2 u_extent;

#include "parameters.generated"
#include "shapes.glsl"
#include "head.glsl"
#include "hair.glsl"
#include "scene.glsl"
#include "colour.glsl"
#include "surface.glsl"
#include "light.glsl"

const int COARSE_STEPS = 24, FINE_STEPS = 40;
const float HIT_CM = 0.004;

// Where a ray enters and leaves an ellipsoid; x > y when it misses.
vec2 crossing(vec3 o, vec3 d, vec3 centre, vec3 radii) {
    o = (o - centre) / radii;
    d /= radii;
    float a = dot(d, d), b = dot(o, d), root = b * b - a * (dot(o, o) - 1.0);
    return root < 0.0 ? vec2(1e4, -1e4) : vec2(-b - sqrt(root), -b + sqrt(root)) / a;
}

// Bounds of the person on a ray: one ellipsoid for head and hair, one for neck and shoulders.
vec2 personOnRay(vec3 origin, vec3 ray) {
    float hairOut = hairReach(), L = longness();
    float top = 13.2 + 0.8 * max(p_forehead, 0.0) + hairOut + 4.5 * smoothstep(0.0, 0.2, p_bun);
    float bottom = min(a_chin_y - 1.6, step(0.001, L) * (-1.0 - 16.0 * L));
    vec3 radii = vec3(8.4 + max(hairOut, step(0.001, L) * 4.0), 0.55 * (top - bottom) + 0.4, 11.2 + hairOut);
    vec2 head = crossing(headFromWorld(origin), ray * u_world_from_head, vec3(0.0, 0.5 * (top + bottom), -2.0), radii);
    vec2 body = crossing(origin, ray, vec3(0.0, -17.0, -4.5), vec3(24.0, 12.0, 10.0));
    return vec2(min(head.x, body.x), max(head.y, body.y));
}

// March along the ray. Returns the distance travelled to the hit or, for a ray that misses, to its closest
// approach; `gap` is how far from the surface that is.
float march(vec3 origin, vec3 ray, float near, float far, out float gap) {
    float t = near, closest = near;
    for (int i = 0; i < COARSE_STEPS; i++) {
        vec3 w = origin + ray * t;
        float h = mapCoarse(w) - COARSE_MARGIN;
        if (p_glasses > 0.02) h = min(h, ellipsoid(headFromWorld(w) - vec3(0.0, a_eye_y, 0.0), vec3(9.2, 3.6, 8.5)));
        if (h < 0.3 || t > far) break;
        t += h;
    }
    gap = 1e3;
    for (int i = 0; i < FINE_STEPS; i++) {
        if (t > far) break;
        float d = map(origin + ray * t);
        if (abs(d) < gap) { gap = abs(d); closest = t; }
        if (gap < HIT_CM) break;
        t += d * 0.9;
    }
    if (t <= far) gap = 0.0;      // a hit, or an edge along which the steps ran out
    return closest;
}

void main() {
    vec2 uv = v_ndc * u_extent;
    vec3 origin = vec3(0.0, 0.0, u_camera.w);
    vec3 ray = normalize(vec3(u_camera.xy + uv * u_camera.z, -1.0));
    Lights light = lights();
    vec3 colour = background(uv, light.azimuth);
    pixelSize = length(dFdx(uv)) * u_camera.z * u_camera.w;
    vec2 span = personOnRay(origin, ray);
    float gap, t = march(origin, ray, span.x, span.y, gap);

    float person = 0.0;
    if (gap < max(pixelSize, strandReach())) {
        vec3 w = origin + ray * t;
        vec3 p = headFromWorld(w);
        float d = map(w);
        int id = materialAt();
        float cover = 1.0 - gap / pixelSize;
        if (id == HAIR && gap > 0.0) {
            vec4 s = strandSpace(p);
            float strand = mix(noise(vec3(s.x * 4.0, s.y * 1.5, 7.0)) * noise(vec3(s.x * 9.0, s.y * 2.0, 3.0)), 0.5 * noise(p * 1.8) * (0.6 + 0.4 * curls(p)), curliness());
            cover = max(cover, 0.8 * sat((strand * 2.0 * strandReach() - gap) / (pixelSize + 0.1)));
        }
        person = sat(cover);
        vec3 geometric = normalAt(w, d, id == HAIR ? 0.10 : 0.03);
        Surface f = Surface(vec3(0.02, 0.017, 0.015), geometric, 0.25, 0.06, 0.0, 0.0);
        if (id == SKIN) skinSurface(p, f);
        else if (id == EYE) eyeSurface(p, f);
        else if (id == HAIR) hairSurface(p, f);
        else if (id == TEETH) teethSurface(p, f);
        else if (id == TONGUE) { f.albedo = vec3(0.30, 0.09, 0.08); f.roughness = 0.35; f.scatter = 1.0; }
        else if (id == CLOTH) clothSurface(w, f);
        colour = mix(colour, shade(f, id, w, -ray, geometric, light), person);
    }
    frag_color = vec4(grade(colour, uv), person);
}
