// The websocket to the studio: frames out and in, and coming back after every loss. Nothing is stored.

const RETRY_MS = 1000;
const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Put a header and bytes into one frame: four bytes of length, JSON, bytes. */
export function packFrame(header, bytes) {
  const head = encoder.encode(JSON.stringify(header));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, head.length);
  return new Blob([length.buffer, head, bytes]);
}

/** Take a frame apart: [header, bytes]. */
export function openFrame(buffer) {
  const length = new DataView(buffer).getUint32(0);
  return [JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length))), new Uint8Array(buffer, 4 + length)];
}

export class Link {
  /** `handlers`: hello(message), message(header, bytes), refused(sentence), state(alive). */
  constructor(handlers) {
    this.handlers = handlers;
    this.token = null;
    this.pin = null;
    this.socket = null;
    this.alive = false;
  }

  connect() {
    const socket = new WebSocket(`ws${location.protocol === "https:" ? "s" : ""}://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let refused = false;
    socket.onopen = () => socket.send(JSON.stringify({ hello: true, pin: this.pin ?? undefined, token: this.token ?? undefined }));
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.handlers.message(...openFrame(data));
      const message = JSON.parse(data);
      if (message.kind === "refused") {
        refused = true;
        this.pin = this.token = null;
        return this.handlers.refused(message.sentence);
      }
      this.token = message.token || null;
      this.alive = true;
      this.handlers.state(true);
      this.handlers.hello(message);
    };
    socket.onclose = () => {
      this.alive = false;
      this.handlers.state(false);
      if (!refused) setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  ask(message) {
    if (this.alive) this.socket.send(JSON.stringify(message));
    return this.alive;
  }

  /** Send a photograph. */
  bring(blob, name) {
    if (this.alive) this.socket.send(packFrame({ name }, blob));
    return this.alive;
  }
}
