"use strict";
// Data of the interactive figures, and what is shown of them: no part of this file draws anything.

const DATA = JSON.parse(document.getElementById("explorer-data").textContent);
const ROWS = DATA.rows.titles.length, COLUMNS = DATA.columns.titles.length;
const VALUES = new Map(DATA.values.map((each) => [each.key, each]));
const NETWORK_VALUES = new Map(DATA.networks.values.map((each) => [each.key, each]));
const UNKNOWN = 65535;

// Arrays are decoded when they are first needed, so that the page is usable at once.
const decoded = new Map();

function decode(block, low, step) {
  if (!decoded.has(block)) decoded.set(block, unpack(block).then((codes) => {
    const values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) values[i] = codes[i] === UNKNOWN ? NaN : low + step * codes[i];
    return values;
  }));
  return decoded.get(block);
}

// What is not needed at once comes last in the page, after these scripts.
const whole = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true }); else resolve();
});

async function unpack(block) {
  if (!document.getElementById(`block-${block}`)) await whole;
  const text = atob(document.getElementById(`block-${block}`).textContent.trim());
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer()), number = planes.length / 2;
  const codes = new Uint16Array(number);
  for (let i = 0; i < number; i++) codes[i] = (planes[i] << 8) | planes[number + i];
  return codes;
}

// Loaded arrays by key; whoever uses one has waited for `load`.
const loaded = { cells: new Map(), networks: new Map(), shift: null };

async function load(keys) {
  loaded.shift ??= await unpack("shift");
  for (const key of keys) {
    const each = VALUES.get(key);
    if (each && !loaded.cells.has(key)) loaded.cells.set(key, await decode(each.block, each.low, each.step));
  }
}

async function loadNetworks(key) {
  const each = NETWORK_VALUES.get(key.replace(/^gap_/, ""));
  if (!each || loaded.networks.has(each.key)) return;
  const references = await decode(each.reference.block, each.reference.low, each.reference.step);
  loaded.networks.set(each.key, { values: await decode(each.block, each.low, each.step), references });
}

const cellValue = (key, row, column) => loaded.cells.get(key)[row * COLUMNS + column];
const shiftName = (row, column) => DATA.shifts[loaded.shift[row * COLUMNS + column]];

const networksOfRow = DATA.rows.titles.map(() => []);
DATA.networks.rows.forEach((row, network) => networksOfRow[row].push(network));

const SETS = Math.max(...DATA.networks.sets) + 1;

// Whether single networks have values of their own: predictors and forecasts are those of the training set.
const hasNetworks = (key) => NETWORK_VALUES.has(key.replace(/^gap_/, "")) || !["score", "difference"].includes(VALUES.get(key).kind) || /^forecast|^surprise/.test(key);

function networkValue(key, network, column) {
  const own = loaded.networks.get(key.replace(/^gap_/, ""));
  if (!own) return cellValue(key, DATA.networks.rows[network], column);
  const value = own.values[network * COLUMNS + column];
  return key.startsWith("gap_") ? value - own.references[network * SETS + DATA.networks.sets[column]] : value;
}

function median(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b), half = known.length >> 1;
  if (!known.length) return NaN;
  return known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
}

// Scores and gaps have two digits; other numbers, of any size, three.
function number(value, signed = false, plain = true) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = plain ? value.toFixed(2).replace(/^-0\.00$/, "0.00") : String(+value.toPrecision(3));
  return (signed && value > 0 ? "+" : "") + text.replace("-", "−");
}

const textOf = (key, value) => number(value, VALUES.get(key).kind === "difference", VALUES.get(key).kind !== "predictor");

// What rows and columns can be sorted and filtered by: [key, label].
const ROW_KEYS = DATA.rows.keys.map((each) => [`own:${each.key}`, each.label]);
const COLUMN_KEYS = DATA.columns.keys.map((each) => [`own:${each.key}`, each.label]);
const CELL_KEYS = DATA.values.map((each) => [`cell:${each.key}`, `mean ${each.label}`]);

// One number per row (or column) of the campaign: a parameter, or the mean of a value over columns (or rows).
function numbersOf(key, along, others, shownValue) {
  const own = along === "row" ? DATA.rows : DATA.columns, count = own.titles.length;
  if (key === "order") return Array.from({ length: count }, (_, i) => i);
  if (key.startsWith("own:")) return own.keys.find((each) => `own:${each.key}` === key).values.map((v) => v ?? NaN);
  const values = key.startsWith("cell:") ? key.slice(5) : shownValue;
  return Array.from({ length: count }, (_, i) => {
    const line = others.map((j) => (along === "row" ? cellValue(values, i, j) : cellValue(values, j, i))).filter(Number.isFinite);
    if (!line.length) return NaN;
    return key === "worst" ? Math.min(...line) : line.reduce((sum, v) => sum + v, 0) / line.length;
  });
}

const neededBy = (...keys) => keys.filter((key) => key.startsWith("cell:")).map((key) => key.slice(5));

function kept(along, state, everything) {
  const own = along === "row" ? DATA.rows : DATA.columns, options = state[along];
  const numbers = numbersOf(options.key, along, everything, state.value);
  const text = options.text.toLowerCase();
  const low = options.min === "" ? -Infinity : Number(options.min), high = options.max === "" ? Infinity : Number(options.max);
  const bounded = options.min !== "" || options.max !== "";
  return own.titles.map((_, i) => i).filter((i) => (
    (!text || own.titles[i].toLowerCase().includes(text) || own.groups[i].toLowerCase().includes(text))
    && (!bounded || (numbers[i] >= low && numbers[i] <= high))
    && (options.group === null || own.groups[i] === options.group)
  ));
}

function sorted(indices, along, state, others) {
  const options = state[along], numbers = numbersOf(options.sort, along, others, state.value);
  const sign = options.descending ? -1 : 1;
  const place = (v) => (Number.isFinite(v) ? v : Infinity);  // what is not known comes last
  return [...indices].sort((a, b) => {
    const one = numbers[a], two = numbers[b];
    if (Number.isFinite(one) && Number.isFinite(two) && one !== two) return sign * (one - two);
    return place(one) === place(two) ? a - b : Number.isFinite(one) ? -1 : 1;
  });
}

function grouped(indices, groups, labels) {
  const found = new Map();
  for (const i of indices) found.set(groups[i], [...(found.get(groups[i]) ?? []), i]);
  return [...found].map(([name, members]) => ({ label: name, title: name, members, networks: null }));
}

// The matrix that is shown: rows and columns with their members, and one value per cell.
async function arrange(state) {
  const keys = [state.row.sort, state.column.sort, state.row.key, state.column.key];
  await load([state.value, "f1", "gap_f1", "forecast", "forecast_low", "forecast_high", ...neededBy(...keys)]);
  if (state.level === "networks") await Promise.all([loadNetworks(state.value), loadNetworks("f1")]);
  const all = (count) => Array.from({ length: count }, (_, i) => i);
  let rows = kept("row", state, all(COLUMNS)), columns = kept("column", state, all(ROWS));
  if (state.trainingSet !== null) rows = rows.filter((row) => row === state.trainingSet);
  rows = sorted(rows, "row", state, columns);
  columns = sorted(columns, "column", state, rows);
  let down = rows.map((i) => ({ label: DATA.rows.labels[i], title: DATA.rows.titles[i], members: [i], networks: null }));
  let across = columns.map((i) => ({ label: DATA.columns.labels[i], title: DATA.columns.titles[i], members: [i] }));
  if (state.level === "groups") {
    down = grouped(rows, DATA.rows.groups);
    across = grouped(columns, DATA.columns.groups);
  } else if (state.level === "networks") {
    down = rows.flatMap((row) => networksOfRow[row].map((network) => ({
      label: `${DATA.rows.labels[row]} · ${DATA.networks.seeds[network]}`,
      title: `${DATA.rows.titles[row]}, ${networkTitle(network)}`, members: [row], networks: [network],
    })));
    if (state.row.sort === "shown" || state.row.sort === "worst") down = sortedNetworks(down, columns, state);
  }
  const values = new Float32Array(down.length * across.length);
  down.forEach((row, i) => across.forEach((column, j) => { values[i * across.length + j] = shownValue(state, row, column); }));
  return { rows: down, columns: across, values };
}

function sortedNetworks(down, columns, state) {
  const sign = state.row.descending ? -1 : 1;
  const numbers = new Map(down.map((each) => {
    const line = columns.map((column) => networkValue(state.value, each.networks[0], column)).filter(Number.isFinite);
    const mean = line.reduce((sum, v) => sum + v, 0) / line.length;
    return [each, line.length ? (state.row.sort === "worst" ? Math.min(...line) : mean) : sign * Infinity];
  }));
  return down.sort((a, b) => sign * (numbers.get(a) - numbers.get(b)));
}

function shownValue(state, row, column) {
  if (row.networks) return networkValue(state.value, row.networks[0], column.members[0]);
  if (row.members.length === 1 && column.members.length === 1) return cellValue(state.value, row.members[0], column.members[0]);
  return median(row.members.flatMap((i) => column.members.map((j) => cellValue(state.value, i, j))));
}

function networkTitle(network) {
  const others = Object.entries(DATA.networks.hyperparameters).map(([name, values]) => `${name} ${values[network]}`);
  return [`seed ${DATA.networks.seeds[network]}`, ...others].join(", ");
}

// What is known of a cell, as pairs of a term and a text.
function describe(state, row, column) {
  const facts = [["trained on", row.title], ["tested under", column.title]];
  const shown = VALUES.get(state.value).label;
  if (!row.networks && row.members.length * column.members.length > 1) {
    const count = (some, noun) => `${some.length} ${noun}${some.length === 1 ? "" : "s"}`;
    facts[0][1] += ` (${count(row.members, "training set")})`;
    facts[1][1] += ` (${count(column.members, "test dataset")})`;
    return [...facts, [`${shown}, median`, textOf(state.value, shownValue(state, row, column))]];
  }
  const i = row.members[0], j = column.members[0];
  const [f1, gap] = ["f1", "gap_f1"].map((key) => (row.networks ? networkValue(key, row.networks[0], j) : cellValue(key, i, j)));
  facts.push(["shift", shiftName(i, j)], ["F1", number(f1)], ["F1 gap", number(gap, true)]);
  const [forecast, low, high] = ["forecast", "forecast_low", "forecast_high"].map((key) => cellValue(key, i, j));
  const interval = `${number(forecast)} [${number(low)}, ${number(high)}]`;
  facts.push([`forecast ${VALUES.get(DATA.metric).label}`, Number.isFinite(forecast) ? interval : "none"]);
  if (!["f1", "gap_f1", "forecast"].includes(state.value)) facts.push([shown, textOf(state.value, shownValue(state, row, column))]);
  facts.push(row.networks ? ["network", networkTitle(row.networks[0])] : ["seeds", seedsText(i, j)]);
  return facts;
}

function seedsText(row, column) {
  const networks = networksOfRow[row], scores = networks.map((network) => [network, loaded.networks.has("f1") ? networkValue("f1", network, column) : NaN]);
  const diverged = DATA.rows.diverged[row] ? `, ${DATA.rows.diverged[row]} diverged` : "";
  const known = scores.filter(([, score]) => Number.isFinite(score));
  if (!known.length) return `${networks.length} networks${diverged}`;
  if (known.length <= 6) return known.map(([network, score]) => `${DATA.networks.seeds[network]}: F1 ${number(score)}`).join("; ") + diverged;
  const values = known.map(([, score]) => score);
  const seeds = new Set(known.map(([network]) => DATA.networks.seeds[network]));
  return `${known.length} networks, ${seeds.size} seeds: F1 ${number(Math.min(...values))} to ${number(Math.max(...values))}${diverged}`;
}
