// The portrait and what it is compared with: two canvases on each other, and a divider between them.

const $ = (id) => document.getElementById(id);

export class Stage {
  constructor() {
    this.before = { photograph: null, reflection: null };
    this.held = false;
    $("split").oninput = () => this.place();
    for (const radio of document.querySelectorAll("[name=before]")) radio.onchange = () => this.place();
    this.holdable($("hold"));
    this.draggable($("frame"));
    this.place();
  }

  /** Show the newest picture. */
  async show(bytes) {
    await draw($("after"), bytes);
    $("after").hidden = $("compare").hidden = false;
    $("welcome").hidden = true;
  }

  /** Keep what the picture is compared with: "photograph" or "reflection". */
  async keep(which, bytes) {
    this.before[which] = bytes ? await decode(bytes) : null;
    const photograph = document.querySelector("[name=before][value=photograph]");
    photograph.disabled = !this.before.photograph;
    if (photograph.disabled && photograph.checked) document.querySelector("[name=before][value=reflection]").checked = true;
    if (which === "photograph" && bytes) photograph.checked = true;
    this.place();
  }

  /** Nothing is left of anybody. */
  clear() {
    for (const id of ["after", "before"]) {
      $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
      $(id).hidden = true;
    }
    this.before = { photograph: null, reflection: null };
    $("welcome").hidden = false;
    $("compare").hidden = true;
    $("split").value = 0;
    this.place();
  }

  hold(held) {
    this.held = held;
    $("hold").setAttribute("aria-pressed", String(held));
    this.place();
  }

  place() {
    const which = document.querySelector("[name=before]:checked").value, picture = this.before[which];
    const part = this.held ? 100 : Number($("split").value);
    const shown = picture !== null && part > 0;
    if (shown) {
      const canvas = $("before");
      [canvas.width, canvas.height] = [picture.width, picture.height];
      canvas.getContext("2d").drawImage(picture, 0, 0);
    }
    $("before").hidden = !shown;
    $("line").hidden = !shown || part >= 100;
    $("frame").style.setProperty("--split", `${part}%`);
    $("split").style.setProperty("--to", `${$("split").value}%`);
    $("split").setAttribute("aria-valuetext", part ? `${part} % ${which}` : "only the portrait");
  }

  holdable(button) {
    button.onpointerdown = (event) => { if (event.button === 0) this.hold(true); };
    button.onpointerup = button.onpointerleave = button.onpointercancel = button.onblur = () => this.hold(false);
    button.onkeydown = (event) => {
      if (event.key === " " || event.key === "Enter") { event.preventDefault(); this.hold(true); }
    };
    button.onkeyup = () => this.hold(false);
    button.oncontextmenu = (event) => event.preventDefault();
  }

  /** The divider follows a pointer that is drawn across the portrait. */
  draggable(frame) {
    const follow = (event) => {
      const box = frame.getBoundingClientRect();
      $("split").value = Math.min(Math.max(((event.clientX - box.left) / box.width) * 100, 0), 100);
      this.place();
    };
    frame.onpointerdown = (event) => {
      if ($("compare").hidden || event.button !== 0) return;
      frame.setPointerCapture(event.pointerId);
      frame.onpointermove = follow;
    };
    frame.onpointerup = frame.onpointercancel = () => { frame.onpointermove = null; };
  }
}

const decode = (bytes) => createImageBitmap(new Blob([bytes]));

async function draw(canvas, bytes) {
  const picture = await decode(bytes);
  if (canvas.width !== picture.width) canvas.width = canvas.height = picture.width;
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
}
