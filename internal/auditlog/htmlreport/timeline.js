// The timeline: requests over time, of which a range is selected by dragging, or with the
// keys of its two handles.

const STEPS = [1, 5, 15, 30].map(n => n * SECOND).concat([1, 5, 15, 30].map(n => n * MINUTE),
  [1, 2, 3, 6, 12].map(n => n * HOUR), [1, 2, 4, 7, 14, 28, 91, 364].map(n => n * DAY));
const MARGIN = {left: 44, right: 12, top: 8, bottom: 22};
const HEIGHT = 150;

// histogram counts rows by time and outcome, in at most so many bins of a round length.
function histogram(requests, rows, [first, last], most) {
  const step = STEPS.find(step => (last - first) / step < most - 1) ?? STEPS.at(-1);
  const start = Math.floor(first / step) * step;
  const bins = Array.from({length: Math.floor((last - start) / step) + 1}, () => [0, 0, 0]);
  for (const row of rows) {
    const bin = bins[Math.floor((requests.times[row] - start) / step)];
    if (bin && OUTCOMES[requests.outcomes[row]]) bin[requests.outcomes[row]]++;
  }
  return {step, start, end: start + bins.length * step, bins};
}

// span is the first and the last time of rows.
function span(requests, rows) {
  let first = Infinity, last = -Infinity;
  for (const row of rows) {
    const time = requests.times[row];
    if (time < first) first = time;
    if (time > last) last = time;
  }
  return first <= last ? [first, last] : [0, 0];
}

class Timeline {
  // select is called with the range chosen, in milliseconds, or with nothing for all.
  constructor(requests, select) {
    this.requests = requests;
    this.select = select;
    this.zoom = null; // the range that is drawn, if not all
    this.range = null; // the range selected
    this.readout = h('output.muted');
    this.plot = h('div.plot');
    this.zoomIn = this.button('Zoom in', () => this.setZoom(this.range));
    this.zoomOut = this.button('Zoom out', () => this.setZoom(null));
    this.clear = this.button('Clear range', () => this.choose(null));
    this.element = h('section.timeline', {'aria-label': 'Timeline', hidden: !requests.length},
      h('div.legend', {}, OUTCOMES.map(name => h('span', {}, h(`i.swatch.${name}`), name)), this.readout,
        h('span.actions', {}, this.zoomIn, this.zoomOut, this.clear)),
      this.plot);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  // button is one that goes when it has done what it does; then a handle has the focus.
  button(label, act) {
    return h('button.quiet', {type: 'button', click: event => {
      act();
      if (event.target.hidden) this.plot.querySelector('.handle').focus();
    }}, label);
  }

  // show draws rows, with a range selected: [from, to], or null.
  show(rows, range = null) {
    this.rows = rows;
    this.range = range;
    this.readout.textContent = '';
    this.draw();
  }

  setZoom(range) {
    this.zoom = range;
    this.draw();
    this.readout.textContent = range ? `Showing ${instant(range[0])} to ${instant(range[1])}` : '';
  }

  choose(range) {
    this.range = range;
    this.select?.(...(range ?? []));
    this.draw();
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width || !this.rows) return;
    const drawn = this.zoom ? [this.zoom[0], this.zoom[1] - 1] : span(this.requests, this.requests.all);
    this.data = histogram(this.requests, this.rows, drawn, Math.min(144, width / 5));
    this.width = width;
    this.zoomIn.hidden = !this.range;
    this.zoomOut.hidden = !this.zoom;
    this.clear.hidden = !this.range;
    this.svg = s('svg', {width, height: HEIGHT, role: 'group', 'aria-label': this.summary()},
      this.grid(), this.bars(), this.axis(), this.brush());
    if (this.select) this.svg.addEventListener('pointerdown', event => this.drag(event));
    this.svg.addEventListener('pointermove', event => this.tell(event));
    const focused = this.plot.contains(document.activeElement) && document.activeElement.dataset.edge;
    this.plot.replaceChildren(this.svg);
    if (focused) this.plot.querySelector(`[data-edge="${focused}"]`).focus();
  }

  summary() {
    const totals = OUTCOMES.map((name, i) => `${count(this.data.bins.reduce((sum, bin) => sum + bin[i], 0))} ${name}`);
    return `${totals.join(', ')}, from ${instant(this.data.start)} to ${instant(this.data.end)} UTC`;
  }

  x(time) {
    const {start, end} = this.data;
    return MARGIN.left + (time - start) / (end - start) * (this.width - MARGIN.left - MARGIN.right);
  }

  // timeAt is the edge of a bin that is nearest to a place.
  timeAt(x) {
    const {start, step, bins} = this.data;
    const part = (x - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    return start + step * Math.max(0, Math.min(bins.length, Math.round(part * bins.length)));
  }

  most() {
    return niceCeiling(Math.max(1, ...this.data.bins.map(([a, b, c]) => a + b + c)));
  }

  grid() {
    const most = this.most(), plot = HEIGHT - MARGIN.top - MARGIN.bottom;
    return [0, 0.5, 1].filter(part => Number.isInteger(most * part)).map(part => {
      const y = HEIGHT - MARGIN.bottom - part * plot;
      return [s('line.rule', {x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y}),
        s('text.tick', {x: MARGIN.left - 8, y: y + 4, 'text-anchor': 'end'}, count(most * part))];
    });
  }

  bars() {
    const {bins, start, step} = this.data, most = this.most(), plot = HEIGHT - MARGIN.top - MARGIN.bottom;
    const width = Math.max(1, (this.width - MARGIN.left - MARGIN.right) / bins.length - 1.5);
    return bins.map((bin, i) => {
      let y = HEIGHT - MARGIN.bottom;
      return bin.map((n, outcome) => {
        if (!n) return null;
        const height = Math.max(1, n / most * plot);
        y -= height;
        return s(`rect.bar.${OUTCOMES[outcome]}`, {x: this.x(start + i * step), y, width, height});
      });
    });
  }

  axis() {
    const {start, end} = this.data;
    const narrow = this.width < 600;
    const most = Math.floor(this.width / (narrow ? 60 : 110));
    const step = STEPS.find(step => (end - start) / step <= most) ?? STEPS.at(-1);
    const ticks = [];
    for (let time = Math.ceil(start / step) * step; this.x(time) < this.width - (narrow ? 40 : 70); time += step) {
      ticks.push(s('text.tick', {x: this.x(time), y: HEIGHT - 6}, step >= DAY ? isoDate(time).slice(narrow ? 5 : 0) : instant(time).slice(narrow ? 11 : 5, 16)));
    }
    return ticks;
  }

  brush() {
    if (!this.select) return null;
    const {start, end} = this.data;
    const clamp = time => Math.max(start, Math.min(end, time));
    const [from, to] = (this.range ?? [start, end]).map(clamp);
    const shade = (a, b) => s('rect.shade', {x: this.x(a), y: 0, width: Math.max(0, this.x(b) - this.x(a)), height: HEIGHT - MARGIN.bottom});
    return [shade(start, from), shade(to, end), this.handle('from', 'Start of the range', from), this.handle('to', 'End of the range', to)];
  }

  handle(edge, label, time) {
    const {start, end} = this.data, x = this.x(time);
    return s('g.handle', {
      tabindex: 0, role: 'slider', 'aria-label': label, 'data-edge': edge,
      'aria-valuemin': start, 'aria-valuemax': end, 'aria-valuenow': time, 'aria-valuetext': `${instant(time)} UTC`,
      keydown: event => this.key(event, edge),
    }, s('line', {x1: x, x2: x, y1: 0, y2: HEIGHT - MARGIN.bottom}),
    s('rect', {x: x - 5, y: HEIGHT / 2 - 24, width: 10, height: 28, rx: 4}));
  }

  // key moves a handle by a bin, or ten with Shift.
  key(event, edge) {
    const {start, end, step} = this.data;
    let [from, to] = this.range ?? [start, end];
    const time = edge === 'from' ? from : to, far = event.shiftKey ? 10 : 1;
    const moved = {ArrowLeft: time - far * step, ArrowDown: time - far * step, ArrowRight: time + far * step,
      ArrowUp: time + far * step, Home: start, End: end}[event.key];
    if (moved !== undefined) {
      if (edge === 'from') from = Math.max(start, Math.min(moved, to - step));
      else to = Math.min(end, Math.max(moved, from + step));
      this.choose(from === start && to === end && !this.zoom ? null : [from, to]);
    } else if (event.key === '+' && this.range) this.setZoom(this.range);
    else if (event.key === '-') this.setZoom(null);
    else if (event.key === 'Delete' || event.key === 'Backspace') this.choose(null);
    else return;
    event.preventDefault();
  }

  // drag selects what the pointer sweeps over; a handle that it takes is moved.
  drag(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const edge = event.target.closest('.handle')?.dataset.edge;
    const left = this.plot.getBoundingClientRect().left;
    const {start, end} = this.data, [from, to] = this.range ?? [start, end];
    const anchor = edge === 'from' ? to : edge === 'to' ? from : this.timeAt(event.clientX - left);
    let range = this.range;
    const move = event => {
      const time = this.timeAt(event.clientX - left);
      range = time === anchor ? range : [Math.min(time, anchor), Math.max(time, anchor)];
      this.range = range;
      this.draw();
    };
    const up = () => {
      removeEventListener('pointermove', move);
      this.choose(range);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up, {once: true});
  }

  // tell writes the numbers below the pointer.
  tell(event) {
    const {start, step, bins} = this.data;
    const part = (event.clientX - this.plot.getBoundingClientRect().left - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const i = Math.floor(part * bins.length);
    if (!bins[i]) return;
    const counts = OUTCOMES.map((name, outcome) => bins[i][outcome] && `${count(bins[i][outcome])} ${name}`).filter(Boolean);
    this.readout.textContent = `${instant(start + i * step).slice(0, 16)} + ${duration(step)}: ${counts.join(', ') || 'nothing'}`;
  }
}

// niceCeiling is the next round number.
function niceCeiling(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map(step => step * power).find(step => step >= n);
}
