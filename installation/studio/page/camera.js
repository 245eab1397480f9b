// One picture from the webcam. The camera is open only while its window is.

const $ = (id) => document.getElementById(id);
const REASONS = {
  NotAllowedError: "The browser may not use the camera; allow it in the address bar and try again.",
  NotFoundError: "There is no camera here; plug one in, or choose a photograph.",
  NotReadableError: "The camera is in use by another program; close that program and try again.",
};

export class Camera {
  /** `taken(blob)` gets the picture, `trouble(sentence)` what went wrong. */
  constructor(taken, trouble) {
    this.taken = taken;
    this.trouble = trouble;
    this.stream = null;
    // Browsers lend the camera to pages of this machine and to https alone; phones have it behind "Photograph".
    $("webcam").hidden = !navigator.mediaDevices;
    $("webcam").onclick = () => this.open();
    $("shoot").onclick = () => this.shoot();
    $("camera-close").onclick = () => $("camera").close();
    $("camera").onclose = () => this.stop();
    $("video").onplaying = () => { $("shoot").disabled = false; };
  }

  async open() {
    $("camera").showModal();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" } });
      this.stream = stream;
      if (!$("camera").open) return this.stop(); // closed while the browser asked
      $("video").srcObject = stream;
    } catch (error) {
      $("camera").close();
      this.trouble(REASONS[error.name] ?? `The camera cannot be used (${error.message}).`);
    }
  }

  shoot() {
    const video = $("video"), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => this.taken(blob), "image/jpeg", 0.95);
    $("camera").close();
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    $("video").srcObject = null;
    $("shoot").disabled = true;
  }
}
