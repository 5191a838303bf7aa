// Reads the data blocks of this file: columns of requests and of stray uses, in which each
// different value stands once. See table.go, which writes them.

// load reads everything, and removes the blocks, which are not needed again.
async function load() {
  const blocks = [...document.querySelectorAll('script[type="application/gzip"]')];
  const of = kind => blocks.filter(block => block.dataset.kind === kind);
  const [requests, strays] = [await readRows(of('requests')), await readRows(of('strays'))];
  const about = await decode(of('about')[0]);
  blocks.forEach(block => block.remove());
  return {about, requests, strays};
}

async function decode(block) {
  const coded = atob(block.textContent);
  const bytes = new Uint8Array(coded.length);
  for (let i = 0; i < coded.length; i++) bytes[i] = coded.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).json();
}

async function readRows(blocks) {
  const rows = new Rows(blocks.reduce((sum, block) => sum + Number(block.dataset.rows), 0));
  let first = 0;
  for (const block of blocks) {
    rows.add(first, await decode(block));
    first += Number(block.dataset.rows);
  }
  for (const column of rows.texts.values()) delete column.known;
  return rows;
}

// Rows is a table by column. A row is its number.
class Rows {
  constructor(length) {
    this.length = length;
    this.texts = new Map(); // name -> {values, ids}: id 0 is none; known, while reading, is the id by value
    this.numbers = new Map(); // name -> Float64Array: NaN is none
    this.times = new Map(); // name -> Float64Array of milliseconds since 1970
  }

  // value is a text, list or map of a row.
  value(name, row) {
    const column = this.texts.get(name);
    return column && column.values[column.ids[row]];
  }

  number(name, row) {
    const column = this.numbers.get(name);
    return column ? column[row] : NaN;
  }

  time(name, row) {
    const column = this.times.get(name);
    return column ? column[row] : NaN;
  }

  // names of every column, in order.
  names() {
    return [...this.texts.keys(), ...this.numbers.keys(), ...this.times.keys()];
  }

  add(first, columns) {
    const start = this.addTimes(first, columns.find(column => column.name === 'time'));
    for (const column of columns) {
      if (column.rows) this.addTexts(first, column);
      else if (column.numbers) this.addNumbers(first, column);
      else if (column.name !== 'time') this.addOffsets(first, column, start);
    }
  }

  addTexts(first, {name, values, rows}) {
    const column = ensure(this.texts, name, () => (
      {values: [undefined], known: new Map(), ids: new Uint32Array(this.length)}));
    const ids = values.map(value => {
      const key = typeof value === 'string' ? value : JSON.stringify(value);
      return ensure(column.known, key, () => column.values.push(value) - 1);
    });
    let next = 0;
    rows.forEach((position, i) => {
      if (position) column.ids[first + i] = ids[position < 0 ? next++ : position - 1];
    });
  }

  addNumbers(first, {name, numbers}) {
    const column = ensure(this.numbers, name, () => new Float64Array(this.length).fill(NaN));
    numbers.forEach((n, i) => { if (n !== null) column[first + i] = n; });
  }

  // addTimes reads the rows' own times, each told since the one before.
  addTimes(first, column) {
    const times = ensure(this.times, 'time', () => new Float64Array(this.length).fill(NaN));
    let last = 0;
    column?.times.forEach((since, i) => { if (since !== null) times[first + i] = last += since; });
    return times;
  }

  addOffsets(first, {name, times}, start) {
    const column = ensure(this.times, name, () => new Float64Array(this.length).fill(NaN));
    times.forEach((since, i) => {
      if (since !== null) column[first + i] = (start[first + i] || 0) + since;
    });
  }
}

// ensure returns the value of a key, which it makes if there is none.
function ensure(map, key, make) {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
