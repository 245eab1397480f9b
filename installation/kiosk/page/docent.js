// The docent's page. It shows what it is told and asks for what is pressed; it keeps nothing and repeats nothing.
// A command answers the newest state (its tick). While the connection is down every button is off, and what was
// pressed before is gone: the server refuses anything that answers an old state.
"use strict";

const HOLD_MS = 2000;
const SILENCE_MS = 4000;
const RETRY_MS = [300, 600, 1200, 2500, 5000];
const LIGHT_EVERY_MS = 120;

const $ = (id) => document.getElementById(id);
const page = { socket: null, tick: null, tickAt: 0, state: null, tries: 0, number: 0, token: sessionStorage.getItem("token") };
const words = { show: "The show runs", safe: "Safe mode", closed: "Closed", starting: "Starting" };

function connect(pin) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws`);
  page.socket = socket;
  socket.onopen = () => socket.send(JSON.stringify(pin === undefined ? { token: page.token } : { pin }));
  socket.onmessage = (event) => socket === page.socket && hear(JSON.parse(event.data));
  socket.onclose = () => socket === page.socket && lost();
}

function hear(message) {
  if (message.refused !== undefined && message.answer === undefined) return shutOut(message.refused);
  if (message.token !== undefined) return letIn(message);
  if (message.state !== undefined) {
    page.tick = message.tick;
    page.tickAt = performance.now();
    page.state = message.state;
    return draw();
  }
  $("said").textContent = message.refused !== undefined ? message.refused : "";
}

function letIn(message) {
  page.token = message.token;
  page.tries = 0;
  sessionStorage.setItem("token", page.token);
  options($("language"), message.languages);
  $("door").hidden = true;
  $("desk").hidden = false;
  $("pin").value = "";
}

function shutOut(why) {
  page.token = null;
  page.socket = null;
  sessionStorage.removeItem("token");
  $("door").hidden = false;
  $("desk").hidden = true;
  $("refused").textContent = why === "PIN" ? "" : why;
}

function lost() {
  page.tick = null;
  enable();
  if (page.token === null) return;
  const wait = RETRY_MS[Math.min(page.tries++, RETRY_MS.length - 1)];
  setTimeout(() => connect(), wait);
}

function live() {
  return page.tick !== null && performance.now() - page.tickAt < SILENCE_MS;
}

function ask(what, value = null) {
  if (!live() || page.socket.readyState !== WebSocket.OPEN) return;
  page.socket.send(JSON.stringify({ id: ++page.number, do: what, value, tick: page.tick }));
}

function enable() {
  const ok = live();
  $("link").textContent = ok ? "connected" : "connection lost; trying again";
  $("link").classList.toggle("lost", !ok);
  const drawing = ok && page.state !== null && page.state.drawing;
  for (const id of ["pause", "restart"]) $(id).disabled = !ok;
  for (const id of ["blackout", "target", "light", "language", "keepsake"]) $(id).disabled = !drawing;
  $("cue").disabled = $("cue-go").disabled = !drawing || $("cue").options.length === 0;
}

function draw() {
  const { state } = page, show = state.show || {};
  $("headline").textContent = state.paused ? "The camera is closed" : words[state.mode] || state.mode;
  const problems = state.paused ? state.problems.filter((text) => !text.includes("camera")) : state.problems;
  list($("problems"), problems);
  press("pause", state.paused, "Open the camera", "Close the camera");
  press("blackout", show.blackout, "Picture back", "Black screen");
  if (document.activeElement !== $("light") && show.light !== undefined) $("light").value = show.light;
  $("light-value").textContent = `${Math.round($("light").value * 100)} %`;
  options($("cue"), show.cues || []);
  if (document.activeElement !== $("language") && show.language) $("language").value = show.language;
  $("keepsake").hidden = !show.keepsake || show.keepsake === "off";
  $("keepsake").textContent = show.keepsake === "counting" ? "Cancel the picture" : "Take a picture";
  figures(state, show);
  preview(show.preview || "");
  enable();
}

function press(id, on, textOn, textOff) {
  $(id).setAttribute("aria-pressed", String(Boolean(on)));
  $(id).textContent = on ? textOn : textOff;
}

function list(element, texts) {
  if (element.dataset.shown === texts.join("\n")) return;
  element.dataset.shown = texts.join("\n");
  element.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function options(select, names) {
  if (select.dataset.names === names.join("\n")) return;
  select.dataset.names = names.join("\n");
  select.replaceChildren(...names.map((name) => new Option(name, name)));
}

function figures(state, show) {
  const restarts = Object.entries(state.restarts || {}).filter(([, n]) => n > 0).map(([name, n]) => `${name} ${n}`);
  const rows = [
    ["Visit", show.stage || "–"], ["Visits", show.visits ?? "–"],
    ["Camera", `${state.camera.state}, ${state.camera.fps} Hz`],
    ["Capture to screen", show.latency_ms ? `${Math.round(show.latency_ms)} ms` : "–"],
    ["View, look", `${show.view || "–"}, ${show.look || "–"}`], ["Cue", show.cue || "–"],
    ["Restarts", restarts.join(", ") || "none"], ["Running for", duration(state.uptime_s)],
    ["Doors change", state.next_change ? state.next_change.replace("T", " ").slice(0, 16) : "never"],
  ];
  const cells = rows.flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: String(value) }),
  ]);
  $("figures").replaceChildren(...cells);
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours >= 48 ? `${Math.floor(hours / 24)} days` : hours ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

function preview(text) {
  $("preview").hidden = !text;
  if (!text) return;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const side = Math.round(Math.sqrt(bytes.length / 3)), canvas = $("preview");
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set(bytes.subarray(i * 3, i * 3 + 3), i * 4);
    image.data[i * 4 + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function holdable(button, act) {
  let began = null;
  const step = () => {
    if (began === null) return;
    const part = Math.min((performance.now() - began) / HOLD_MS, 1);
    button.style.setProperty("--held", `${part * 100}%`);
    if (part < 1) return requestAnimationFrame(step);
    release();
    act();
  };
  const release = () => {
    began = null;
    button.classList.remove("holding");
    button.style.removeProperty("--held");
  };
  button.onpointerdown = () => {
    if (button.disabled) return;
    began = performance.now();
    button.classList.add("holding");
    requestAnimationFrame(step);
  };
  button.onpointerup = button.onpointerleave = button.onpointercancel = release;
  button.oncontextmenu = (event) => event.preventDefault();
}

let lightAt = 0, lightLast = null;
$("light").oninput = () => {
  $("light-value").textContent = `${Math.round($("light").value * 100)} %`;
  clearTimeout(lightLast);
  const wait = Math.max(0, LIGHT_EVERY_MS - (performance.now() - lightAt));
  lightLast = setTimeout(() => {
    lightAt = performance.now();
    ask("light", Number($("light").value));
  }, wait);
};
$("light").onchange = () => $("light").blur();
$("pause").onclick = () => ask("pause", !page.state.paused);
$("blackout").onclick = () => ask("blackout", !page.state.show.blackout);
$("target").onclick = () => ask("target");
$("keepsake").onclick = () => ask("keepsake", page.state.show.keepsake !== "counting");
$("cue-go").onclick = () => ask("cue", $("cue").value);
$("language").onchange = () => { ask("language", $("language").value); $("language").blur(); };
holdable($("restart"), () => ask("restart"));
$("pin-form").onsubmit = (event) => {
  event.preventDefault();
  connect($("pin").value);
};
document.onvisibilitychange = () => {
  // A phone that wakes up looks again before it lets anything be pressed.
  if (!document.hidden) enable();
};
setInterval(enable, 1000);
enable();
if (page.token !== null) connect();
