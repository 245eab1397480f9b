// The studio's page. It holds the photograph and every slider; the studio on this machine holds the sitter while the
// tab is open and nothing afterwards. When the connection breaks, the page brings everything again.

import { receive } from "./arrivals.js";
import { Camera } from "./camera.js";
import { Controls } from "./controls.js";
import { Link } from "./link.js";
import { build } from "./rows.js";
import { Stage } from "./stage.js";
import { followTabs } from "./tabs.js";

const $ = (id) => document.getElementById(id);
const PATIENCE_MS = 30000; // after that a picture counts as lost and is asked for again; a slow look takes seconds
const REST_MS = 250; // a finger that rests for so long gets the whole picture in place of a draft

const controls = new Controls(), stage = new Stage();
const page = { menu: null, sitter: null, source: null, number: 0, flying: null, wanted: false, changedAt: 0, maxBytes: 0, keeping: null, resting: false, rest: null, painting: 0 };
/** Milliseconds from a change to its picture on the page, for whoever measures. */
const latencies = [];
let showRows = () => {};

const link = new Link({
  hello(message) {
    $("door").close();
    page.maxBytes = message.max_bytes;
    if (JSON.stringify(page.menu) !== JSON.stringify(message.menu)) { // else whoever was on a slider stays there
      page.menu = message.menu;
      controls.adopt(message.menu.rest);
      showRows = build(message.menu, controls);
    }
    page.flying = null;
    finishKeeping();
    if (page.source) bringAgain();
  },
  message: hear,
  refused(sentence) {
    $("refused").textContent = sentence === "PIN" ? "" : sentence;
    if (!$("door").open) $("door").showModal();
  },
  state(alive) {
    $("link").textContent = alive ? "on this machine alone" : "connection lost; trying again";
    $("link").classList.toggle("lost", !alive);
    $("busy").hidden = true;
    finishKeeping();
  },
});

function hear(header, bytes) {
  if (header.kind === "sitter") sits(header, bytes);
  if (header.kind === "picture") arrives(header, bytes);
  if (header.kind === "reflection") stage.keep("reflection", bytes);
  if (header.kind === "progress") $("making").value = header.part;
  if (header.kind === "kept") kept(header, bytes);
  if (header.kind === "trouble") trouble(header);
}

// Who sits.

function bring(blob, name) {
  if (page.menu === null) return complain("The studio is not there yet; bring it again in a moment.");
  if (blob.size > page.maxBytes) {
    return complain(`${name} is larger than ${page.maxBytes >> 20} MB; save a smaller copy of it.`);
  }
  sit({ blob, name, place: 1 });
}

function sit(source) {
  page.source = source;
  if (!link.alive) return complain("The studio is not there just now; it will get this when it is back.");
  complain("");
  say(source.blob ? "Looking for a face …" : "");
  $("busy").hidden = false;
  bringAgain();
}

function bringAgain() {
  if (page.source.blob) link.bring(page.source.blob, page.source.name);
  else link.ask({ ask: "stranger", seed: page.source.seed });
}

function sits(header, bytes) {
  $("busy").hidden = true;
  if (page.source.blob && page.source.place !== header.place && page.source.place <= header.faces) {
    link.ask({ ask: "face", place: page.source.place }); // after a broken connection: the face that was chosen
    return;
  }
  page.sitter = header;
  finishKeeping(); // a film of whoever sat before is not drawn to its end
  stage.keep("photograph", bytes.length ? bytes : null);
  stage.keep("reflection", null);
  const notes = header.notes.length ? ` (${header.notes.join(", ")})` : "";
  say(page.source.blob ? `Found and redrawn in ${header.seconds.toFixed(2)} s${notes}.` : "Somebody who does not exist.");
  $("faces").hidden = header.faces < 2;
  $("face-words").textContent = `Face ${header.place} of ${header.faces}.`;
  link.ask({ ask: "reflection", number: ++page.number });
  enable();
  want();
}

// The picture follows the controls: one request in flight, and then the newest state; never a queue.

function want(resting = false) {
  clearTimeout(page.rest);
  page.resting = resting;
  page.wanted = true;
  page.changedAt ||= performance.now();
  send();
}

function send() {
  if (!page.wanted || page.flying || !page.sitter || !link.alive) return;
  const flying = { number: ++page.number, changedAt: page.changedAt };
  const draft = controls.moving && !page.resting;
  if (!link.ask({ ask: "picture", number: flying.number, controls: controls.values, draft })) return;
  page.flying = flying;
  page.wanted = false;
  page.changedAt = 0;
  setTimeout(() => {
    if (page.flying !== flying) return;
    page.flying = null;
    want();
  }, PATIENCE_MS);
}

async function arrives(header, bytes) {
  const flying = page.flying;
  if (flying?.number !== header.number) return;
  page.flying = null;
  send();
  if (header.draft) page.rest = setTimeout(() => want(true), REST_MS);
  page.painting += 1;
  await stage.show(bytes);
  page.painting -= 1;
  latencies.push(performance.now() - flying.changedAt);
  describe();
}

function describe() {
  const strongest = page.menu.targets.map((one) => [controls.get(one.address), one.label]).sort((a, b) => b[0] - a[0])[0];
  $("caption").textContent = strongest && strongest[0] > 0 ? strongest[1] : "";
  const moved = [...document.querySelectorAll(".slider.moved")].map(
    (row) => `${row.querySelector("label").textContent} ${row.querySelector("output").textContent}`);
  $("after").setAttribute("aria-label", `Portrait. ${moved.length ? moved.join(", ") : "The reflection, unchanged."}`);
}

controls.onchange = () => {
  showRows();
  enable();
  want();
};

// Taking home.

function keep(what) {
  page.keeping = ++page.number;
  if (!link.ask({ ask: "keep", what, number: page.keeping, controls: controls.values })) return;
  complain("");
  say(what === "film" ? "The film is being drawn …" : "");
  $("making").value = 0;
  $("making").hidden = what !== "film";
  enable();
}

function kept(header, bytes) {
  if (header.number !== page.keeping) return;
  finishKeeping();
  const url = URL.createObjectURL(new Blob([bytes], { type: header.type }));
  Object.assign(document.createElement("a"), { href: url, download: header.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say(`${header.name} is saved by your browser, marked as synthetic.`);
}

function finishKeeping() {
  page.keeping = null;
  $("making").hidden = true;
  enable();
}

// Words.

const say = (text) => { $("said").textContent = text; };
const complain = (text) => { $("trouble").textContent = text; };

function trouble(header) {
  $("busy").hidden = true;
  const { sentence } = header, named = page.source?.name && sentence.startsWith(page.source.name); // a file keeps its name
  complain(`${named ? sentence : sentence.charAt(0).toUpperCase() + sentence.slice(1)}.`);
  say("");
  if (header.about === "drawing" || header.about === "page") page.flying = null;
  finishKeeping();
}

function enable() {
  const ready = link.alive && page.menu !== null;
  for (const id of ["choose", "webcam", "stranger", "next-face"]) $(id).disabled = !ready;
  $("undo").disabled = !controls.past.length;
  $("redo").disabled = !controls.future.length;
  $("reset").disabled = !controls.moved;
  for (const button of document.querySelectorAll(".keep")) button.disabled = !ready || !page.sitter || page.keeping !== null;
}

// The page's own buttons.

$("stranger").onclick = () => sit({ seed: crypto.getRandomValues(new Uint32Array(1))[0] });
$("next-face").onclick = () => {
  page.source.place = (page.sitter.place % page.sitter.faces) + 1;
  link.ask({ ask: "face", place: page.source.place });
};
$("undo").onclick = () => controls.undo();
$("redo").onclick = () => controls.redo();
$("reset").onclick = () => controls.reset();
for (const button of document.querySelectorAll(".keep")) button.onclick = () => keep(button.dataset.what);
$("keys-open").onclick = () => $("keys").showModal();
$("keys-close").onclick = () => $("keys").close();
$("pin-form").onsubmit = (event) => {
  event.preventDefault();
  link.pin = $("pin").value;
  link.connect();
};
$("door").oncancel = (event) => event.preventDefault();
new Camera((blob) => bring(blob, "webcam.jpg"), complain);
receive(bring, complain);
followTabs();

document.onkeydown = (event) => {
  const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
  if (command && (key === "z" || key === "y") && event.target.type !== "password") {
    event.preventDefault();
    if (key === "y" || event.shiftKey) controls.redo();
    else controls.undo();
  } else if (key === "c" && !command && !event.altKey && $("single-keys").checked && !event.repeat && !document.querySelector("dialog[open]")) {
    stage.hold(true);
  }
};
document.onkeyup = (event) => { if (event.key.toLowerCase() === "c") stage.hold(false); };
window.onblur = () => stage.hold(false);

// A page that the browser brings back from its memory begins anew.
window.onpageshow = (event) => { if (event.persisted) location.reload(); };

export { controls, latencies, link, page, stage, want };
link.connect();
