// Tabs as the ARIA authoring practices have them: arrows, Home and End move, and what is chosen is shown at once.

const $ = (id) => document.getElementById(id);

export function followTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  function choose(tab) {
    for (const one of tabs) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
      $(one.getAttribute("aria-controls")).hidden = !chosen;
    }
  }
  for (const [index, tab] of tabs.entries()) {
    tab.onclick = () => choose(tab);
    tab.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = event.key === "Home" ? tabs[0] : event.key === "End" ? tabs.at(-1) : step && tabs.at((index + step) % tabs.length);
      if (!next) return;
      event.preventDefault();
      choose(next);
      next.focus();
    };
  }
}
