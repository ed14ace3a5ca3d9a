// Classes in the picture, with their shares, how sure the model is of them, and their switches.
import { make } from "./state.js";

const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function cell(row, content, kind = "td") {
  const made = make(kind, {}, content);
  row.append(made);
  return made;
}

export function swatch(colour, clear) {
  const made = make("i", { className: clear ? "swatch clear" : "swatch" });
  if (!clear) made.style.setProperty("background-color", colour);
  return made;
}

/**
 * Fill a table with the classes of results [{name, answer}].
 * `hidden` holds names of classes that are not drawn; `changed` is called when it was changed.
 */
export function fillLegend(table, results, hidden, changed) {
  const classes = new Map();
  for (const { answer } of results) for (const one of answer.classes) classes.set(one.name, one);
  const sorted = [...classes.values()].sort((a, b) => (a.id === 0) - (b.id === 0) || b.share - a.share);
  const shares = results.flatMap(({ answer }) => answer.classes.map((one) => (one.id ? one.share : 0)));
  const most = Math.max(...shares);
  table.replaceChildren(head(results), make("tbody"));
  for (const one of sorted) {
    const row = table.tBodies[0].insertRow();
    cell(row, nameOf(one, hidden, changed), "th").scope = "row";
    for (const { answer } of results) {
      const found = answer.classes.find(({ name }) => name === one.name);
      const share = cell(row, found ? percent(found.share) : "none");
      share.style.setProperty("--share", found && one.id ? found.share / most : 0);
      share.style.setProperty("--colour", one.color);
      share.className = "share";
      if (results.length === 1) cell(row, `${Math.round(100 * found.confidence)} %`);
    }
  }
}

function head(results) {
  const made = make("thead");
  const row = made.insertRow();
  const titles = results.length === 1 ? ["share", "sure"] : results.map(({ name }) => name);
  for (const title of ["class", ...titles]) cell(row, title, "th").scope = "col";
  return made;
}

/** The switch of a class; class 0 is clear, so there is nothing to switch. */
function nameOf(one, hidden, changed) {
  if (one.id === 0) return make("span", { className: "name" }, swatch(one.color, true), `${one.name} (clear)`);
  const box = make("input", { type: "checkbox", value: one.name, checked: !hidden.has(one.name) });
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(one.name);
    else hidden.add(one.name);
    changed();
  });
  return make("label", { className: "name" }, box, swatch(one.color, false), one.name);
}

/** Set the switches as `hidden` says; the rows stay, and with them the focus. */
export function setSwitches(table, hidden) {
  for (const box of table.querySelectorAll("input")) box.checked = !hidden.has(box.value);
}

/** The share of the pixels of two results that have classes of one name. */
export function agreement([first, second]) {
  const names = ({ model }) => model.classes.map(({ name }) => name);
  const [ours, theirs] = [names(first), names(second)];
  const { data } = first.labels;
  if (data.length !== second.labels.data.length) return null;
  let same = 0;
  data.forEach((label, pixel) => (same += ours[label] === theirs[second.labels.data[pixel]]));
  return same / data.length;
}
