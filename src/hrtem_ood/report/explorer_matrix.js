"use strict";
// The interactive OOD matrix, drawn by Bokeh.

const SMALLEST_TICK = 13;  // [px] between labels
const LONGEST = { narrow: 14, wide: 30 };  // characters of a label
const TAIL = 9;  // characters from the end of a label whose beginning others share
const MOST_NUMBERS = 300;  // cells with their value written into them
const MOST_FRAMES = 3000;

// Labels cut at the end; in the middle, where others begin alike.
function shortened(labels, most) {
  const begin = (text) => text.slice(0, most - 1), shared = new Map();
  labels.forEach((text) => shared.set(begin(text), (shared.get(begin(text)) || 0) + 1));
  return labels.map((text) => {
    if (text.length <= most) return text;
    return shared.get(begin(text)) > 1 ? `${text.slice(0, most - TAIL - 1)}…${text.slice(-TAIL)}` : `${begin(text)}…`;
  });
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Colours, and the range of values that they cover.
function coloured(key, values) {
  const { kind } = VALUES.get(key);
  let low = Infinity, high = -Infinity;
  for (const value of values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) [low, high] = [0, 1];
  if (kind === "difference") { high = Math.max(Math.abs(low), Math.abs(high)) || 1; low = -high; }
  if (kind === "score" && low >= 0 && high <= 1) [low, high] = [0, 1];
  if (low === high) high = low + 1;
  return { palette: DATA.palettes[kind] ?? DATA.palettes.other, low, high };
}

function brightness(hex) {
  const [red, green, blue] = [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

class MatrixPlot {
  constructor(host, onPick) {
    this.host = host;
    this.onPick = onPick;
    this.cursor = [0, 0];
    this.image = new Bokeh.ColumnDataSource({ data: { image: [], x: [], y: [], dw: [], dh: [] } });
    this.frames = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    this.numbers = ["#000000", "#ffffff"].map(() => new Bokeh.ColumnDataSource({ data: { x: [], y: [], text: [] } }));
    this.marks = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    this.pinned = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    this.mapper = new Bokeh.LinearColorMapper({ palette: DATA.palettes.score, low: 0, high: 1, nan_color: "#d9d9d9" });
    const field = (name) => ({ field: name });
    this.plot = Bokeh.Plotting.figure({
      height: 400, sizing_mode: "stretch_width", tools: "pan,box_zoom,wheel_zoom,reset", toolbar_location: "above",
      x_range: new Bokeh.Range1d({ start: -0.5, end: 0.5 }), y_range: new Bokeh.Range1d({ start: 0.5, end: -0.5 }),
    });
    this.plot.toolbar.logo = null;
    this.plot.toolbar.active_drag = null;
    this.plot.toolbar.active_scroll = null;
    this.plot.xgrid.visible = false;
    this.plot.ygrid.visible = false;
    this.plot.xaxis.major_label_orientation = 0.9;
    this.plot.xaxis.axis_label = "test condition";
    this.plot.yaxis.axis_label = "training set";
    const glyph = { x: field("x"), y: field("y") };
    this.plot.add_glyph(new Bokeh.Image({ image: field("image"), ...glyph, dw: field("dw"), dh: field("dh"), color_mapper: this.mapper }), this.image);
    const rect = (source, line) => this.plot.add_glyph(new Bokeh.Rect({ ...glyph, width: 0.96, height: 0.96, fill_alpha: 0, ...line }), source);
    rect(this.frames, { line_color: "#D55E00", line_width: 1.6 });
    const font = { text_align: "center", text_baseline: "middle", text_font_size: "11px" };
    ["#000000", "#ffffff"].forEach((colour, index) => (
      this.plot.add_glyph(new Bokeh.Text({ ...glyph, text: field("text"), text_color: colour, ...font }), this.numbers[index])
    ));
    rect(this.pinned, { line_color: "#000000", line_width: 3.5 });
    rect(this.marks, { line_color: "#000000", line_width: 2, line_dash: "dashed" });
    this.plot.add_layout(new Bokeh.ColorBar({ color_mapper: this.mapper, width: 12, padding: 6, location: [0, 0] }), "right");
    for (const range of [this.plot.x_range, this.plot.y_range]) {
      range.on_change([range.properties.start, range.properties.end], () => this.label());
    }
  }

  async show() {
    this.view = await Bokeh.Plotting.show(this.plot, this.host);
    const surface = this.host;
    surface.addEventListener("pointermove", (event) => this.hover(event));
    surface.addEventListener("pointerleave", () => this.onPick("leave"));
    surface.addEventListener("click", (event) => {
      const at = this.at(event);
      if (at) { this.move(at); this.onPick("click", ...at); }
    });
    surface.addEventListener("keydown", (event) => this.key(event));
    surface.addEventListener("focus", () => this.move(this.cursor));
    surface.addEventListener("blur", () => { this.marks.data = { x: [], y: [] }; });
    new ResizeObserver(() => this.label()).observe(this.host);
  }

  // Row and column below the pointer, or null.
  at(event) {
    const box = this.view.el.getBoundingClientRect(), { frame } = this.view;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (x < frame.bbox.left || x > frame.bbox.right || y < frame.bbox.top || y > frame.bbox.bottom) return null;
    const column = Math.round(frame.x_scale.invert(x)), row = Math.round(frame.y_scale.invert(y));
    return row >= 0 && row < this.table.rows.length && column >= 0 && column < this.table.columns.length ? [row, column] : null;
  }

  // Where a cell is on the screen, as seen from the window.
  place(row, column) {
    const box = this.view.el.getBoundingClientRect(), { frame } = this.view;
    return { x: box.left + frame.x_scale.compute(column), y: box.top + frame.y_scale.compute(row) };
  }

  hover(event) {
    const at = this.at(event);
    if (at) this.onPick("hover", ...at, event); else this.onPick("leave");
  }

  key(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const { rows, columns } = this.table;
    let next = null;
    if (steps[event.key]) next = this.cursor.map((each, axis) => each + steps[event.key][axis] * (event.shiftKey ? 10 : 1));
    else if (event.key === "Home") next = [this.cursor[0], 0];
    else if (event.key === "End") next = [this.cursor[0], columns.length - 1];
    else if (event.key === "Enter" || event.key === " ") this.onPick("click", ...this.cursor);
    else if (event.key === "+") this.onPick("zoom", ...this.cursor);
    else if (event.key === "-" || event.key === "Escape") this.onPick("back");
    else return;
    event.preventDefault();
    if (next) {
      this.move([Math.max(0, Math.min(rows.length - 1, next[0])), Math.max(0, Math.min(columns.length - 1, next[1]))]);
      this.onPick("focus", ...this.cursor);
    }
  }

  move([row, column]) {
    if (!this.table.rows.length || !this.table.columns.length) return;
    this.cursor = [row, column];
    this.marks.data = { x: [column], y: [row] };
  }

  pin(at) {
    this.pinned.data = at ? { x: [at[1]], y: [at[0]] } : { x: [], y: [] };
  }

  draw(table, key) {
    this.table = table;
    this.shownKey = key;
    const { rows, columns, values } = table, m = rows.length, n = columns.length;
    const { ndarray } = Bokeh.require("core/util/ndarray");
    const colours = coloured(key, values);
    this.mapper.setv({ palette: colours.palette, low: colours.low, high: colours.high });
    const some = m && n;
    this.image.data = some
      ? { image: [ndarray(values, { dtype: "float32", shape: [m, n] })], x: [-0.5], y: [-0.5], dw: [n], dh: [m] }
      : { image: [], x: [], y: [], dw: [], dh: [] };
    this.frames.data = { x: [], y: [] };
    if (m * n <= MOST_FRAMES) this.frame();
    this.fits = m * n <= MOST_NUMBERS;
    this.numbered = colours;
    this.pin(null);
    this.cursor = [0, 0];
    this.marks.data = { x: [], y: [] };
    this.plot.height = Math.round(Math.max(180, Math.min(520, 30 * m)) + 150);
    this.plot.x_range.setv({ start: -0.5, end: Math.max(n, 1) - 0.5, reset_start: -0.5, reset_end: Math.max(n, 1) - 0.5 });
    this.plot.y_range.setv({ start: Math.max(m, 1) - 0.5, end: -0.5, reset_start: Math.max(m, 1) - 0.5, reset_end: -0.5 });
    this.label();
  }

  frame() {
    const x = [], y = [];
    this.table.rows.forEach((row, i) => this.table.columns.forEach((column, j) => {
      if (row.members.length === 1 && column.members.length === 1 && shiftName(row.members[0], column.members[0]) === "in-domain") { x.push(j); y.push(i); }
    }));
    this.frames.data = { x, y };
  }

  write() {
    const dark = { x: [], y: [], text: [] }, light = { x: [], y: [], text: [] }, { palette, low, high } = this.numbered, n = this.table.columns.length;
    const wide = this.host.clientWidth / Math.max(n, 1) > 44;
    if (this.fits && wide) this.table.values.forEach((value, index) => {
      if (!Number.isFinite(value)) return;
      const place = Math.floor((palette.length * (value - low)) / (high - low));
      const colour = palette[Math.max(0, Math.min(palette.length - 1, place))];
      const data = brightness(colour) > 0.55 ? dark : light;
      data.x.push(index % n);
      data.y.push(Math.floor(index / n));
      data.text.push(textOf(this.shownKey, value));
    });
    [this.numbers[0].data, this.numbers[1].data] = [dark, light];
  }

  // Labels for as many rows and columns as there is room for.
  label() {
    if (!this.table) return;
    const narrow = this.host.clientWidth < 560, most = narrow ? LONGEST.narrow : LONGEST.wide;
    const frame = this.view?.frame.bbox;
    const set = (axis, range, lines, size) => {
      const from = Math.max(0, Math.ceil(Math.min(range.start, range.end))), to = Math.min(lines.length - 1, Math.floor(Math.max(range.start, range.end)));
      const step = Math.max(1, Math.ceil(((to - from + 1) * SMALLEST_TICK) / size)), ticks = [];
      for (let i = from; i <= to; i += step) ticks.push(i);
      const texts = shortened(ticks.map((tick) => lines[tick].label), most);
      axis.setv({
        ticker: new Bokeh.FixedTicker({ ticks, minor_ticks: [] }),
        major_label_overrides: new Map(ticks.map((tick, index) => [tick, texts[index]])),
      });
      axis.major_label_text_font_size = narrow ? "10px" : "11.5px";
    };
    set(this.plot.below[0], this.plot.x_range, this.table.columns, frame?.width || this.host.clientWidth * 0.7);
    set(this.plot.left[0], this.plot.y_range, this.table.rows, frame?.height || this.plot.height - 150);
    this.write();
  }
}
