"use strict";
// Any value of cells against any predictor or parameter, drawn by Bokeh.

const MOST_POINTS = 6000;  // more are drawn as counts
const BINS = [120, 80];
const STYLES = [["#0072B2", "circle"], ["#E69F00", "square"], ["#009E73", "triangle"], ["#D55E00", "diamond"],
  ["#CC79A7", "inverted_triangle"], ["#56B4E9", "hex"], ["#6B6B6B", "plus"]];  // Okabe and Ito's colours

class ScatterPlot {
  constructor(host, onPick) {
    this.host = host;
    this.onPick = onPick;
    this.plot = Bokeh.Plotting.figure({
      height: 420, sizing_mode: "stretch_width", tools: "pan,box_zoom,wheel_zoom,reset", toolbar_location: "above",
      x_range: new Bokeh.Range1d({ start: 0, end: 1 }), y_range: new Bokeh.Range1d({ start: 0, end: 1 }),
    });
    this.plot.toolbar.logo = null;
    this.plot.toolbar.active_drag = null;
    this.plot.toolbar.active_scroll = null;
    const field = (name) => ({ field: name }), glyph = { x: field("x"), y: field("y") };
    this.counts = new Bokeh.ColumnDataSource({ data: { image: [], x: [], y: [], dw: [], dh: [] } });
    this.mapper = new Bokeh.LinearColorMapper({ palette: [...DATA.palettes.other], low: 0, high: 1, nan_color: "#ffffff" });
    this.plot.add_glyph(new Bokeh.Image({ image: field("image"), ...glyph, dw: field("dw"), dh: field("dh"), color_mapper: this.mapper }), this.counts);
    this.points = DATA.shifts.map((name, index) => {
      const [colour, marker] = STYLES[index % STYLES.length];
      const source = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
      this.plot.add_glyph(new Bokeh.Scatter({ ...glyph, marker: { value: marker }, size: 7, fill_color: colour, fill_alpha: 0.65, line_color: colour }), source);
      return source;
    });
    this.middle = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    this.plot.add_glyph(new Bokeh.Line({ ...glyph, line_color: "#D55E00", line_width: 2.5 }), this.middle);
    this.mark = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    this.plot.add_glyph(new Bokeh.Scatter({ ...glyph, marker: { value: "circle" }, size: 15, fill_alpha: 0, line_color: "#000000", line_width: 2.5 }), this.mark);
  }

  async show() {
    this.view = await Bokeh.Plotting.show(this.plot, this.host);
    this.host.addEventListener("pointermove", (event) => {
      const point = this.at(event);
      if (point) this.onPick("hover", point, event); else this.onPick("leave");
    });
    this.host.addEventListener("pointerleave", () => this.onPick("leave"));
    this.host.addEventListener("click", (event) => {
      const point = this.at(event);
      if (point) { this.current = this.list.indexOf(point); this.move(); this.onPick("click", point); }
    });
    this.host.addEventListener("keydown", (event) => this.key(event));
    this.host.addEventListener("blur", () => { this.mark.data = { x: [], y: [] }; });
  }

  // The nearest point that is close to the pointer, or null.
  at(event) {
    const box = this.view.el.getBoundingClientRect(), { frame } = this.view;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 15 ** 2;
    for (const point of this.list ?? []) {
      const distance = (frame.x_scale.compute(point.x) - x) ** 2 + (frame.y_scale.compute(point.y) - y) ** 2;
      if (distance < least) { least = distance; best = point; }
    }
    return best;
  }

  place(point) {
    const box = this.view.el.getBoundingClientRect(), { frame } = this.view;
    return { x: box.left + frame.x_scale.compute(point.x), y: box.top + frame.y_scale.compute(point.y) };
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -10, ArrowUp: 10 };
    if (!this.list?.length) return;
    if (event.key in steps) this.current = Math.max(0, Math.min(this.list.length - 1, (this.current ?? -1) + steps[event.key]));
    else if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    this.current ??= 0;
    this.move();
    this.onPick(event.key in steps ? "focus" : "click", this.list[this.current]);
  }

  move() {
    const point = this.list[this.current];
    this.mark.data = { x: [point.x], y: [point.y] };
  }

  // Points: {row, column, x, y}, and the labels of both axes.
  draw(points, xLabel, yLabel) {
    this.list = points.sort((a, b) => a.x - b.x || a.y - b.y);
    this.current = null;
    this.mark.data = { x: [], y: [] };
    this.plot.xaxis.axis_label = xLabel;
    this.plot.yaxis.axis_label = yLabel;
    const span = (values) => {
      let low = Infinity, high = -Infinity;
      for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
      if (low > high) return [0, 1];
      const margin = 0.04 * (high - low) || 0.5;
      return [low - margin, high + margin];
    };
    const [x0, x1] = span(points.map((p) => p.x)), [y0, y1] = span(points.map((p) => p.y));
    this.plot.x_range.setv({ start: x0, end: x1, reset_start: x0, reset_end: x1 });
    this.plot.y_range.setv({ start: y0, end: y1, reset_start: y0, reset_end: y1 });
    const few = points.length <= MOST_POINTS;
    this.points.forEach((source, index) => {
      const some = few ? points.filter((p) => loaded.shift[p.row * COLUMNS + p.column] === index) : [];
      source.data = { x: some.map((p) => p.x), y: some.map((p) => p.y) };
    });
    this.counts.data = few ? { image: [], x: [], y: [], dw: [], dh: [] } : this.density(points, x0, x1, y0, y1);
    this.medians(points);
    return few;
  }

  density(points, x0, x1, y0, y1) {
    const [across, up] = BINS, counts = new Float32Array(across * up).fill(NaN);
    let most = 0;
    for (const { x, y } of points) {
      const i = Math.min(up - 1, Math.floor((up * (y - y0)) / (y1 - y0))), j = Math.min(across - 1, Math.floor((across * (x - x0)) / (x1 - x0)));
      const place = i * across + j;
      counts[place] = (Number.isNaN(counts[place]) ? 0 : counts[place]) + 1;
      most = Math.max(most, counts[place]);
    }
    this.mapper.setv({ low: 0, high: Math.log10(most) || 1 });
    const { ndarray } = Bokeh.require("core/util/ndarray");
    const image = ndarray(counts.map(Math.log10), { dtype: "float32", shape: [up, across] });
    return { image: [image], x: [x0], y: [y0], dw: [x1 - x0], dh: [y1 - y0] };
  }

  // Medians of eight bins of about as many points each; points of one x are in one bin.
  medians(points) {
    const bins = points.length >= 40 ? 8 : 0, x = [], y = [];
    for (let k = 0, start = 0; k < bins; k++) {
      let stop = Math.max(start, Math.floor(((k + 1) * points.length) / bins));
      while (stop > start && stop < points.length && points[stop].x === points[stop - 1].x) stop++;
      const part = points.slice(start, stop);
      start = stop;
      if (!part.length) continue;
      x.push(median(part.map((p) => p.x)));
      y.push(median(part.map((p) => p.y)));
    }
    this.middle.data = { x, y };
  }
}
