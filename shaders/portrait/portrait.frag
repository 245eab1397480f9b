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

const int MARCH_STEPS = 72;
const float HIT_CM = 0.004;
const float NEARLY_CM = 0.12;      // a grazing ray that ran out of steps this close has hit

void main() {
    vec2 uv = v_ndc * u_extent;
    vec3 origin = vec3(0.0, 0.0, u_camera.w);
    vec3 ray = normalize(vec3(u_camera.xy + uv * u_camera.z, -1.0));
    Lights light = lights();
    vec3 colour = background(uv, light.azimuth);

    float t = u_camera.w - 14.0, last = u_camera.w + 16.0, d = 0.0;
    for (int i = 0; i < MARCH_STEPS; i++) {
        d = map(origin + ray * t);
        if (d < HIT_CM) break;
        t += d * 0.9;
        if (t > last) break;
    }
    float person = d < NEARLY_CM ? 1.0 : 0.0;
    if (person > 0.0) {
        vec3 w = origin + ray * t;
        vec3 p = headFromWorld(w);
        int id = materialAt(w);
        vec3 geometric = normalAt(w, id == HAIR ? 0.10 : 0.045);
        Surface f = Surface(vec3(0.02, 0.017, 0.015), geometric, 0.25, 0.06, 0.0, 1.0);
        if (id == SKIN) skinSurface(p, f);
        else if (id == EYE) eyeSurface(p, f);
        else if (id == HAIR) hairSurface(p, f);
        else if (id == TEETH) teethSurface(p, f);
        else if (id == TONGUE) { f.albedo = vec3(0.30, 0.09, 0.08); f.roughness = 0.35; f.scatter = 1.0; }
        else if (id == CLOTH) clothSurface(w, f);
        colour = shade(f, id, w, -ray, geometric, light);
    }
    frag_color = vec4(grade(colour, uv), person);
}
