// The ways in which a photograph comes to the page: chosen, dropped, pasted.

const $ = (id) => document.getElementById(id);
const BY_NAME = /\.(heic|heif|hif|tiff?|avif|jp2)$/i; // browsers do not know the type of each of these

/** The first picture among files, or the first file: the studio says in a sentence what is wrong with that. */
const pictureOf = (files) => [...(files ?? [])].find((file) => file.type.startsWith("image/") || BY_NAME.test(file.name)) ?? files?.[0];

/** `bring(blob, name)` gets each photograph, `complain(sentence)` what is none. */
export function receive(bring, complain) {
  $("choose").onclick = () => $("file").click();
  $("file").onchange = () => {
    const [file] = $("file").files;
    if (file) bring(file, file.name);
    $("file").value = "";
  };

  let inside = 0;
  document.ondragenter = () => { inside += 1; document.body.classList.add("dropping"); };
  document.ondragleave = () => { inside -= 1; if (inside <= 0) stopDropping(); };
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = (event) => {
    event.preventDefault();
    stopDropping();
    const file = pictureOf(event.dataTransfer.files);
    if (file) bring(file, file.name);
    else complain("That was no file; drop a photograph from a folder.");
  };
  document.onpaste = (event) => {
    const file = pictureOf(event.clipboardData.files);
    if (file) bring(file, file.name || "pasted picture");
  };
  function stopDropping() {
    inside = 0;
    document.body.classList.remove("dropping");
  }
}
