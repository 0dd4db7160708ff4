// Returns for each kind of element with text the least contrast to its ground (WCAG 2.2, 1.4.3).
const skipped = "script, style, title, desc, noscript, .skip";
const parse = (text) => text.match(/[\d.]+/g).map(Number);
const linear = (part) =>
  (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

function ground(element) {
  for (let each = element; each; each = each.parentElement) {
    const color = parse(getComputedStyle(each).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
}

const found = {};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest(skipped)) continue;
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const svg = element.closest("svg");
  const text = light(parse(svg ? style.fill : style.color));
  const paper = svg && parse(getComputedStyle(svg.querySelector(".paper")).fill);
  const back = light(paper ?? ground(element));
  const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  const kind = `${element.tagName} ${element.getAttribute("class") ?? ""}`;
  found[kind] = Math.min(found[kind] ?? 99, ratio);
}
return found;
