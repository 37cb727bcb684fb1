// The only way in which anything gets onto the page: elements and text, never markup.

export const at = (id) => document.getElementById(id);

/** An element. `on` holds listeners, `class` and `text` are themselves, the rest are attributes. */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [kind, does] of Object.entries(value)) made.addEventListener(kind, does);
    else if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Say it only when it is news: what does not change keeps its place, its selection and its focus. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** One child for each item, known by its key; children that stay are updated in place. */
export function keyed(parent, items, key, make, update) {
  const wanted = new Set(items.map(key));
  for (const child of [...parent.children]) if (!wanted.has(child.dataset.key)) child.remove();
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = known.get(name);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update?.(child, item);
  }
}

/** A figure that leads to the events behind it. */
export function behind(text, filter, label) {
  const link = el("a", { href: `#/events?${new URLSearchParams(filter)}`, class: "figure", text });
  if (label) link.setAttribute("aria-label", `${text}: ${label}`);
  return link;
}

/** Update such a figure where it stands. */
export function refigure(link, text, filter) {
  say(link, text);
  const href = `#/events?${new URLSearchParams(filter)}`;
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
}

/** A row that a narrow page shows as a block: roles said aloud, for a table laid out otherwise loses its own. */
export function stacking(row, labels) {
  row.setAttribute("role", "row");
  [...row.children].forEach((cell, place) => {
    cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
    if (labels[place]) cell.dataset.label = labels[place];
  });
  return row;
}
