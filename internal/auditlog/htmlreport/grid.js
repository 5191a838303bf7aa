// A table of any number of rows, of which only those in sight are in the page. The table has
// the focus; the row that the keys move is told by aria-activedescendant, so that it
// may scroll out of sight.

const OVERSCAN = 8;

// Browsers draw no element taller than this, in pixels: Firefox is the first to stop.
const TALLEST = 17_000_000;

let grids = 0;

class Grid {
  // columns are {id, label, cell(row), sortable}; their widths are the style's, by kind.
  // open is called with the row chosen, sort with the id of a column.
  constructor({label, kind, columns, open, sort}) {
    this.name = `grid${++grids}`;
    this.columns = columns;
    this.open = open;
    this.rows = [];
    this.active = 0;
    this.drawn = new Map(); // position -> element
    this.body = h('div.rows', {role: 'rowgroup'});
    this.head = h('div.row', {role: 'row', 'aria-rowindex': 1}, columns.map(column => this.heading(column, sort)));
    this.element = h(`div.grid.${kind}`, {
      role: 'grid', tabindex: 0, 'aria-label': label, 'aria-colcount': columns.length,
      keydown: event => this.key(event), scroll: () => this.draw(),
    }, h('div.head', {role: 'rowgroup'}, this.head), this.body);
    new ResizeObserver(() => this.redraw()).observe(this.element);
  }

  heading({id, label, sortable}, sort) {
    return h(`div.cell.${id}`, {role: 'columnheader', 'data-column': id},
      sortable ? h('button', {type: 'button', click: () => sort(id)}, label) : label);
  }

  // show fills the table with rows, sorted as told; with the first of them if they are
  // too many for a browser.
  show(rows, sorted, direction) {
    this.height = this.rowHeight();
    this.rows = rows.subarray(0, TALLEST / this.height);
    this.active = Math.max(0, Math.min(this.active, this.rows.length - 1));
    this.element.setAttribute('aria-rowcount', rows.length + 1);
    for (const heading of this.head.children) {
      const here = heading.dataset.column === sorted;
      if (here) heading.setAttribute('aria-sort', direction === 'up' ? 'ascending' : 'descending');
      else heading.removeAttribute('aria-sort');
    }
    this.redraw();
  }

  rowHeight() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue('--row')) || 34;
  }

  redraw() {
    this.height = this.rowHeight();
    this.body.style.height = `${this.rows.length * this.height}px`;
    this.drawn.clear();
    this.draw();
  }

  // draw puts the rows in sight into the page, and keeps those that are there.
  draw() {
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.height) - OVERSCAN);
    const last = Math.min(this.rows.length, Math.ceil((this.element.scrollTop + this.element.clientHeight) / this.height) + OVERSCAN);
    const drawn = new Map();
    for (let i = first; i < last; i++) drawn.set(i, this.drawn.get(i) ?? this.row(i));
    this.drawn = drawn;
    this.body.replaceChildren(...drawn.values());
    this.mark();
  }

  row(i) {
    const element = h('div.row', {role: 'row', id: `${this.name}-${i}`, 'aria-rowindex': i + 2, click: () => this.choose(i)},
      this.columns.map(({id, cell}) => h(`div.cell.${id}`, {role: 'gridcell'}, cell(this.rows[i]))));
    element.style.transform = `translateY(${i * this.height}px)`;
    return element;
  }

  mark() {
    for (const [i, element] of this.drawn) element.classList.toggle('active', i === this.active);
    if (this.drawn.has(this.active)) this.element.setAttribute('aria-activedescendant', `${this.name}-${this.active}`);
    else this.element.removeAttribute('aria-activedescendant');
  }

  // activate moves to a row, and brings it into sight.
  activate(i) {
    if (!this.rows.length) return;
    this.active = Math.max(0, Math.min(this.rows.length - 1, i));
    const top = this.active * this.height, room = this.element.clientHeight - this.head.offsetHeight - this.height;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top > this.element.scrollTop + room) this.element.scrollTop = top - room;
    this.draw();
  }

  choose(i) {
    this.activate(i);
    this.open?.(this.rows[this.active]);
  }

  key(event) {
    if (event.target !== this.element) return; // a heading's button has keys of its own
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 2);
    const moved = {ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page,
      PageUp: this.active - page, Home: 0, End: this.rows.length - 1}[event.key];
    if (moved !== undefined) this.activate(moved);
    else if (event.key === 'Enter' && this.rows.length) this.choose(this.active);
    else return;
    event.preventDefault();
  }
}
