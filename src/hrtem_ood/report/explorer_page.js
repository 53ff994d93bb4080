"use strict";
// Controls, the texts beside the plots, and what clicks and keys do.

const PICTURES = ["image", "label", "probability of particle", "error"];
const CAPTION = "Grey: particle found; blue: missed; orange: none there.";

const state = {
  value: DATA.metric, level: "sets", trainingSet: null,
  row: { sort: "order", descending: false, key: "shown", min: "", max: "", text: "", group: null },
  column: { sort: "order", descending: false, key: "shown", min: "", max: "", text: "", group: null },
};
const MANY = 4000;  // cells: above it, the matrix begins with groups
if (ROWS * COLUMNS > MANY) state.level = "groups";

function choice(label, options, chosen, onChange) {
  const select = element("select", { ariaLabel: label });
  const groups = new Map();
  for (const [key, text, group] of options) {
    const option = element("option", { value: key, textContent: text, selected: key === chosen });
    if (!group) { select.append(option); continue; }
    if (!groups.has(group)) { groups.set(group, element("optgroup", { label: group })); select.append(groups.get(group)); }
    groups.get(group).append(option);
  }
  select.addEventListener("change", () => onChange(select.value));
  return element("label", {}, element("span", { textContent: label }), select);
}

function entry(label, attributes, onChange) {
  const input = element("input", { ariaLabel: label, ...attributes });
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => onChange(input.value), 200); });
  return element("label", {}, element("span", { textContent: label }), input);
}

function valueOptions(prefix = "") {
  const group = { score: "scores", difference: "gaps and surprises", predictor: "predictors" };
  return DATA.values.map((each) => [prefix + each.key, each.label, group[each.kind]]);
}

function axisControls(along, name, redraw) {
  const keys = along === "row" ? ROW_KEYS : COLUMN_KEYS, options = state[along];
  const cells = CELL_KEYS.map(([key, label]) => [key, label, "means over cells"]);
  const common = [["shown", "mean of what is shown"], ["worst", "lowest of what is shown"]];
  const parameters = keys.map(([key, label]) => [key, label, "parameters"]);
  const set = (field) => (value) => { options[field] = value; redraw(); };
  const down = element("button", { type: "button", textContent: "↑", ariaLabel: `Reverse the order of ${name}` });
  down.addEventListener("click", () => {
    options.descending = !options.descending;
    down.textContent = options.descending ? "↓" : "↑";
    redraw();
  });
  return element("fieldset", {},
    element("legend", { textContent: name }),
    choice(`Sort ${name} by`, [["order", "order of the campaign"], ...common, ...parameters, ...cells], "order", set("sort")),
    down,
    choice(`Keep ${name} by`, [...common, ...parameters, ...cells], "shown", set("key")),
    entry("from", { type: "number", step: "any", ariaLabel: `Keep ${name} from` }, set("min")),
    entry("to", { type: "number", step: "any", ariaLabel: `Keep ${name} to` }, set("max")),
    entry("named", { type: "search", ariaLabel: `Keep ${name} named` }, set("text")),
  );
}

function picture(uri, text, alt) {
  return element("figure", {}, element("img", { src: uri, alt }), element("figcaption", { textContent: text }));
}

// The images of a cell: what its median network sees, or the first image of the test dataset.
function pictures(row, column) {
  const view = DATA.views[`${row},${column}`], plain = DATA.images[String(column)];
  const box = element("div", { className: "pictures" });
  const condition = DATA.columns.titles[column];
  if (view) {
    view.pictures.forEach((uri, i) => box.append(picture(uri, PICTURES[i], `${PICTURES[i]}, ${condition}`)));
    const rule = view.rule ? ` Chosen by rule: ${view.rule}.` : "";
    const text = `Image ${view.image} as seen by the median network (seed ${view.seed}, ${view.network}): F1 ${number(view.score)}. ${CAPTION}${rule}`;
    return [box, element("p", { className: "note", textContent: text })];
  }
  const why = "What networks of this cell predict is not in this file: only some cells have it, or the weights are not kept.";
  if (!plain) return [element("p", { className: "note", textContent: `No images of ${condition} are in this file.` })];
  plain.forEach((uri, i) => box.append(picture(uri, PICTURES[i], `${PICTURES[i]}, ${condition}`)));
  return [box, element("p", { className: "note", textContent: why })];
}

function factList(facts) {
  const list = element("dl", { className: "facts" });
  for (const [term, text] of facts) list.append(element("div", {}, element("dt", { textContent: term }), element("dd", { textContent: text })));
  return list;
}

// A box that follows the pointer, and one below the plot that stays.
class Texts {
  constructor(section) {
    this.tip = element("div", { className: "tip", hidden: true, role: "tooltip" });
    this.live = element("p", { className: "live", ariaLive: "polite" });
    this.details = element("div", { className: "details", tabIndex: -1 });
    this.section = section;
    section.append(this.tip, this.live, this.details);
  }

  hover(facts, x, y) {
    this.tip.replaceChildren(factList(facts));
    this.tip.hidden = false;
    const box = this.section.getBoundingClientRect(), { offsetWidth, offsetHeight } = this.tip;
    const left = Math.max(0, Math.min(x - box.left + 14, box.width - offsetWidth));
    const above = y - box.top - offsetHeight - 14;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${above > 0 ? above : y - box.top + 18}px`;
  }

  leave() { this.tip.hidden = true; }

  say(facts) { this.live.textContent = facts.map(([term, text]) => `${term}: ${text}`).join("; "); }

  pin(facts, row, column, ...more) {
    this.leave();
    const shown = row === null ? [] : pictures(row, column);
    this.details.replaceChildren(factList(facts), ...more, ...shown);
    this.details.scrollIntoView({ block: "nearest" });
    this.say(facts);
  }

  clear() { this.details.replaceChildren(); this.live.textContent = ""; }
}

function plotHost(label) {
  return element("div", { className: "plot", tabIndex: 0, role: "application", ariaLabel: label });
}

async function matrix(section) {
  const controls = element("div", { className: "controls" }), path = element("nav", { className: "path", ariaLabel: "Level of the matrix" });
  const note = element("p", { className: "note count" });
  const host = plotHost("OOD matrix. Arrow keys move, Enter shows a cell, plus zooms in, Escape goes back.");
  section.append(controls, path, host);
  const texts = new Texts(section);
  section.insertBefore(note, texts.tip);
  let turn = 0;

  const redraw = async () => {
    const mine = ++turn;
    const table = await arrange(state);
    if (mine !== turn) return;  // something else has been chosen meanwhile
    plot.draw(table, state.value);
    trail();
    const unit = { groups: "groups of training sets", sets: "training sets", networks: "networks" }[state.level];
    note.textContent = `${table.rows.length} ${unit} × ${table.columns.length} ${state.level === "groups" ? "groups of conditions" : "test datasets"}: `
      + `${VALUES.get(state.value).label}${state.level === "networks" && hasNetworks(state.value) ? "" : ", median over networks"}. `
      + `${state.level === "networks" && !hasNetworks(state.value) ? "There was no room for this score of single networks. " : ""}Orange frames: in-domain. `
      + (table.rows.length && table.columns.length ? "" : "Nothing fits the filters.");
    section.dataset.drawn = String(turn);
    scatter.redraw?.();
  };

  const go = (change) => { Object.assign(state, change.state); Object.assign(state.row, change.row); Object.assign(state.column, change.column); texts.clear(); redraw(); };
  const all = { row: { group: null }, column: { group: null } };

  function trail() {
    const step = (text, level, change) => {
      const button = element("button", { type: "button", textContent: text, ariaPressed: String(state.level === level) });
      button.addEventListener("click", () => go(change));
      return button;
    };
    path.replaceChildren(
      step("groups", "groups", { state: { level: "groups", trainingSet: null }, ...all }),
      step("training sets", "sets", { state: { level: "sets", trainingSet: null }, ...all }),
      step("single networks", "networks", { state: { level: "networks", trainingSet: null }, ...all }),
    );
    const where = [state.row.group, state.column.group, state.trainingSet === null ? null : DATA.rows.titles[state.trainingSet]];
    const text = where.filter((each) => each !== null).join(" › ");
    if (text) path.append(element("span", { textContent: ` ${text}` }));
  }

  function zoom(row, column) {
    const { rows, columns } = plot.table;
    if (state.level === "groups") go({ state: { level: "sets", trainingSet: null }, row: { group: rows[row].title }, column: { group: columns[column].title } });
    else if (state.level === "sets") go({ state: { level: "networks", trainingSet: rows[row].members[0] } });
  }

  function back() {
    if (state.level === "networks" && state.trainingSet !== null) go({ state: { level: "sets", trainingSet: null } });
    else if (state.level === "sets" && (state.row.group ?? state.column.group) !== null) go({ state: { level: "groups" }, ...all });
    else { texts.clear(); plot.pin(null); }
  }

  function pin(row, column) {
    const one = plot.table.rows[row], other = plot.table.columns[column], facts = describe(state, one, other);
    const single = one.members.length === 1 && other.members.length === 1;
    const more = [];
    if (state.level !== "networks") {
      const button = element("button", { type: "button", className: "zoom", textContent: state.level === "groups" ? "Zoom in to this group" : "Show its single networks" });
      button.addEventListener("click", () => zoom(row, column));
      more.push(button);
    }
    plot.pin([row, column]);
    texts.pin(facts, single ? one.members[0] : null, single ? other.members[0] : null, ...more);
  }

  const plot = new MatrixPlot(host, (kind, row, column, event) => {
    if (kind === "leave") texts.leave();
    else if (kind === "hover") texts.hover(describe(state, plot.table.rows[row], plot.table.columns[column]), event.clientX, event.clientY);
    else if (kind === "focus") {
      const facts = describe(state, plot.table.rows[row], plot.table.columns[column]), { x, y } = plot.place(row, column);
      texts.hover(facts, x, y);
      texts.say(facts);
    } else if (kind === "click") pin(row, column);
    else if (kind === "zoom") zoom(row, column);
    else if (kind === "back") back();
  });
  host.addEventListener("blur", () => texts.leave());
  const unused = (key) => ["forecast_low", "forecast_high"].includes(key);
  controls.append(
    choice("Colour shows", valueOptions().filter(([key]) => !unused(key)), state.value, (value) => { state.value = value; redraw(); }),
    element("details", { open: section.clientWidth > 700 }, element("summary", { textContent: "Sort and filter" }),
      axisControls("row", "training sets", redraw), axisControls("column", "test conditions", redraw)),
  );
  plot.draw(await arrange(state), state.value);
  await plot.show();
  await redraw();
  return { plot, pin };
}

const scatter = {};

async function gaps(section) {
  const controls = element("div", { className: "controls" }), host = plotHost("Scatter plot. Left and right move through the cells, Enter shows one.");
  const note = element("p", { className: "note count" }), legend = element("p", { className: "legend" });
  section.append(controls, legend, host, note);
  const texts = new Texts(section);
  const predictor = `cell:predictor_${DATA.predictor}`;
  const axes = { x: VALUES.has(predictor.slice(5)) ? predictor : "cell:surprise", y: "cell:gap_f1" };
  DATA.shifts.forEach((name, index) => {
    const [colour, marker] = STYLES[index % STYLES.length];
    const sign = { circle: "●", square: "■", triangle: "▲", diamond: "◆", inverted_triangle: "▼", hex: "⬢", plus: "✚" }[marker];
    const dot = element("span", { textContent: `${sign} ` });
    dot.style.color = colour;
    legend.append(element("span", {}, dot, name));
  });
  const parameters = [
    ...ROW_KEYS.map(([key, label]) => [`row:${key}`, label, "training set"]),
    ...COLUMN_KEYS.map(([key, label]) => [`column:${key}`, label, "test condition"]),
  ];
  const options = [...valueOptions("cell:"), ...parameters];
  const label = (key) => options.find((each) => each[0] === key)[1];
  let turn = 0;

  scatter.redraw = async () => {
    const mine = ++turn;
    await load([axes.x, axes.y].filter((key) => key.startsWith("cell:")).map((key) => key.slice(5)));
    if (mine !== turn) return;
    const all = (count) => Array.from({ length: count }, (_, i) => i);
    const rows = kept("row", state, all(COLUMNS)), columns = kept("column", state, all(ROWS)), points = [];
    const read = (key) => {
      if (key.startsWith("cell:")) return (row, column) => cellValue(key.slice(5), row, column);
      const along = key.startsWith("row:") ? "row" : "column", numbers = numbersOf(key.slice(along.length + 1), along, [], null);
      return (row, column) => numbers[along === "row" ? row : column];
    };
    const [x, y] = [read(axes.x), read(axes.y)];
    for (const row of rows) for (const column of columns) {
      const point = { row, column, x: x(row, column), y: y(row, column) };
      if (Number.isFinite(point.x) && Number.isFinite(point.y)) points.push(point);
    }
    const few = plot.draw(points, label(axes.x), label(axes.y));
    legend.hidden = !few;
    note.textContent = `${points.length} cells, those that the filters of the matrix keep. ` + (few ? "" : "Yellow: many cells; filter for single ones. ")
      + (points.length >= 40 ? "Orange line: medians of eight bins of as many cells each." : "");
    section.dataset.drawn = String(turn);
  };

  const facts = (point) => [
    ...describe(state, { title: DATA.rows.titles[point.row], members: [point.row], networks: null }, { title: DATA.columns.titles[point.column], members: [point.column] }),
    ...[["x", axes.x], ["y", axes.y]].filter(([, key]) => !["cell:f1", "cell:gap_f1"].includes(key))
      .map(([axis, key]) => [label(key), key.startsWith("cell:") ? textOf(key.slice(5), point[axis]) : number(point[axis], false, false)]),
  ];
  const plot = new ScatterPlot(host, (kind, point, event) => {
    if (kind === "leave") texts.leave();
    else if (kind === "hover") texts.hover(facts(point), event.clientX, event.clientY);
    else if (kind === "focus") {
      const { x, y } = plot.place(point);
      texts.hover(facts(point), x, y);
      texts.say(facts(point));
    } else texts.pin(facts(point), point.row, point.column);
  });
  host.addEventListener("blur", () => texts.leave());
  controls.append(
    choice("Across", options, axes.x, (key) => { axes.x = key; scatter.redraw(); }),
    choice("Up", options, axes.y, (key) => { axes.y = key; scatter.redraw(); }),
  );
  await plot.show();
  await scatter.redraw();
  scatter.plot = plot;
}

// Static figures stay where scripts fail: they are hidden only once the interactive ones are drawn.
async function start() {
  const begin_ms = performance.now();
  const section = document.getElementById("matrix-explorer");
  section.hidden = false;
  window.explorer = await matrix(section);
  document.documentElement.classList.add("scripted");
  Object.assign(window.explorer, { begin_ms, usable_ms: performance.now() });
  const other = document.getElementById("scatter-explorer");
  other.hidden = false;
  await gaps(other);
  await loadNetworks("f1");
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  for (const id of ["matrix-explorer", "scatter-explorer"]) document.getElementById(id).hidden = true;
  document.documentElement.classList.remove("scripted");
  console.error(error);
});
