// Returns each text of an SVG, where it is, and whether it is inside its card, or the picture.
return [...document.querySelectorAll("text")].map((text) => {
  const parent = text.parentElement;
  const isCard = parent.tagName === "g" && parent.firstElementChild.tagName === "title";
  const card = isCard && parent.querySelector("rect.box");
  const box = (card || document.querySelector("rect.paper")).getBoundingClientRect();
  const {x, y, width, height} = text.getBoundingClientRect();
  const inside = x >= box.left && x + width <= box.right
    && y >= box.top && y + height <= box.bottom + 1;
  return {text: text.textContent, x, y, width, height, inside};
});
