"""WCAG contrast of everything that can be read on the page, computed from what the browser says it drew.

Source: WCAG 2.2, "relative luminance" and "contrast ratio"; large text is 24 px, or 18.66 px bold.
"""

CONTRAST = """
(() => {
  const kind = 'text';
  const parse = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return [parts[0], parts[1], parts[2], parts[3] ?? 1];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (element) => {
    let colour = [0, 0, 0, 0];
    for (let e = element; e; e = e.parentElement) {
      const below = parse(getComputedStyle(e).backgroundColor);
      colour = colour[3] === 0 ? below : over(colour, below.slice(0, 3).concat(1));
      if (below[3] === 1) return colour.slice(0, 3).concat(1);
    }
    return over(colour, [255, 255, 255, 1]);
  };
  const light = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.slice(0, 3).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const seen = (e) => e.offsetParent !== null && !e.closest('.unseen') && !e.disabled;
  if (kind === 'edges') {
    return [...document.querySelectorAll('#sources button, #desk button, #hold')].filter(seen).map((e) => ({
      words: e.textContent, ratio: ratio(parse(getComputedStyle(e).borderTopColor), ground(e.parentElement)),
    }));
  }
  const out = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const words = walker.currentNode.textContent.trim(), e = walker.currentNode.parentElement;
    if (!words || !seen(e)) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const behind = ground(e);
    out.push({ words, ratio: ratio(over(parse(style.color), behind), behind),
      large: size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) });
  }
  return out;
})()
"""
