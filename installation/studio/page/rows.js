// Rows of controls, built from the studio's menu. A row shows what its control is and shows it again when that changes.

const STEPS = 200;
const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Build everything the menu offers; returns a function that brings all rows up to date. */
export function build(menu, controls) {
  const rows = [];
  const slider = (spec, why) => {
    const row = new Slider(spec, controls, why);
    rows.push(row);
    return row.element;
  };
  const percent = (spec) => ({ words: (value) => `${Math.round(value * 100)} %`, ...spec });

  const why = make("p", { className: "why", id: "why", textContent: "Targets are what a language model takes a word to look like." });
  const told = (spec) => () => {
    const models = spec.models.length ? `, read by ${spec.models.join(" and ")}` : "";
    why.textContent = `${spec.label}: from the words “${spec.prompt}”${models}.`;
  };
  const target = (spec) => slider(percent({ ...spec, low: 0, high: 1 }), told(spec));
  const others = menu.targets.filter((spec) => !spec.series);
  $("targets").replaceChildren(...menu.targets.filter((spec) => spec.series).map(target),
    slider(percent(menu.amount)), why, ...folded("More targets", others.map(target)));

  $("features").replaceChildren(...menu.features.map((spec) => slider(poles(spec))),
    ...folded("More attributes", menu.attributes.map((spec) => slider(poles(spec)))));

  const mode = choices("The morph", menu.mode.address, [
    { value: "edit", label: "keeps the person" }, { value: "replace", label: "goes all the way" }], controls);
  rows.push(mode);
  $("layers").replaceChildren(...menu.bands.map((spec) => slider(percent(spec))), slider(percent(menu.psi)), mode.element);

  const look = choices("Look", "/mirror/look", menu.looks.map((one) => ({ value: one.name, label: one.title })), controls);
  const help = make("p", { className: "why" }), knobs = new Map();
  for (const one of menu.looks) knobs.set(one.name, make("div", {}, ...one.knobs.map((spec) => slider(percent(spec)))));
  rows.push(look, { show() {
    const now = controls.get("/mirror/look");
    help.textContent = menu.looks.find((one) => one.name === now)?.help ?? "";
    for (const [name, element] of knobs) element.hidden = name !== now;
  } });
  const [paint, ...styles] = menu.paint.map((spec) => slider(percent(spec)));
  $("looks").replaceChildren(look.element, help, ...knobs.values(), ...(paint ? [paint] : []), ...folded("Style pictures", styles));

  const show = () => rows.forEach((row) => row.show());
  show();
  return show;
}

function folded(words, elements) {
  return elements.length ? [make("details", {}, make("summary", { textContent: `${words} (${elements.length})` }), ...elements)] : [];
}

/** An axis between two words: tells toward which of them it was moved, and how far. */
function poles(spec) {
  const words = (value) => {
    if (Math.abs(value) < 1e-6) return `${spec.low_word} – ${spec.high_word}`;
    const end = value > 0 ? spec.high : -spec.low;
    return `${value > 0 ? spec.high_word : spec.low_word} ${Math.round((Math.abs(value) / end) * 100)} %`;
  };
  return { ...spec, words };
}

class Slider {
  constructor(spec, controls, why = () => {}) {
    this.spec = spec;
    this.controls = controls;
    const id = `row${spec.address.replaceAll("/", "-")}`;
    this.label = make("label", { htmlFor: id, textContent: spec.label });
    this.output = make("output", { htmlFor: id });
    this.output.setAttribute("aria-hidden", "true"); // the slider says it itself
    this.input = make("input", { type: "range", id, min: spec.low, max: spec.high, step: (spec.high - spec.low) / STEPS });
    this.element = make("div", { className: "slider" }, this.label, this.output, this.input);
    if (spec.help) {
      const help = make("p", { className: "help", id: `${id}-help`, textContent: spec.help });
      this.input.setAttribute("aria-describedby", help.id);
      this.element.append(help);
    }
    this.input.oninput = () => {
      why();
      controls.set(spec.address, this.snapped(), false);
    };
    this.input.onchange = () => controls.set(spec.address, this.snapped());
    this.input.onfocus = why;
    this.label.ondblclick = () => controls.set(spec.address, controls.rest[spec.address]);
  }

  /** The slider's value; near rest it is at rest, so that a finger finds the way back. */
  snapped() {
    const value = Number(this.input.value), rest = this.controls.rest[this.spec.address];
    return Math.abs(value - rest) < (this.spec.high - this.spec.low) / STEPS ? rest : value;
  }

  show() {
    const { low, high, address, words } = this.spec, value = this.controls.get(address), rest = this.controls.rest[address];
    if (document.activeElement !== this.input || Math.abs(Number(this.input.value) - value) > (high - low) / STEPS) {
      this.input.value = value;
    }
    const part = (number) => `${(100 * (number - low)) / (high - low)}%`;
    this.input.style.setProperty("--from", part(Math.min(value, low < 0 ? 0 : low)));
    this.input.style.setProperty("--to", part(Math.max(value, low < 0 ? 0 : low)));
    this.input.setAttribute("aria-valuetext", words(value));
    this.output.textContent = words(value);
    this.element.classList.toggle("moved", value !== rest);
  }
}

function choices(legend, address, options, controls) {
  const inputs = options.map(({ value }) => {
    const input = make("input", { type: "radio", name: address, value });
    input.onchange = () => controls.set(address, value);
    return input;
  });
  const labels = options.map(({ label }, index) => make("label", {}, inputs[index], ` ${label}`));
  const element = make("fieldset", { className: options.length < 4 ? "choices few" : "choices" }, make("legend", { textContent: legend }), ...labels);
  return { element, show: () => inputs.forEach((input) => { input.checked = input.value === controls.get(address); }) };
}
