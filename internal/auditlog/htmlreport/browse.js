// The requests: filters, timeline and table. What is filtered is in the address, so that it
// can be kept and sent.

// NARROW screens have the filters folded away at first.
const NARROW = matchMedia('(max-width: 46rem)');

class Browse {
  // go leads to the requests of a filter.
  constructor(report, go) {
    this.report = report;
    this.go = go;
    this.filter = {};
    this.timeline = new Timeline(report.requests, (from, to) => this.change({from, to}));
    this.grid = new Grid({label: 'Requests', kind: 'requests', columns: requestColumns(report.requests),
      open: row => this.change({request: report.requests.rows.value('request_id', row)}),
      sort: column => this.sort(column)});
    this.detail = new Detail(report, {
      open: row => this.change({request: report.requests.rows.value('request_id', row)}),
      neighbour: (row, step) => this.rows[this.rows.indexOf(row) + step],
      closed: () => this.closed()});
    this.matches = h('p.matches', {role: 'status'});
    this.form = this.makeForm();
    this.element = [h('h1', {}, 'Requests'), this.form, this.timeline.element, this.matches, this.grid.element];
  }

  makeForm() {
    const {requests} = this.report;
    const {all} = requests;
    let typing;
    const search = h('input', {type: 'search', id: 'search', name: 'q', placeholder: 'Search in everything', autocomplete: 'off', spellcheck: 'false',
      input: () => { clearTimeout(typing); typing = setTimeout(() => this.change({q: search.value}), 150); }});
    const choice = (name, label, options) => h('label', {}, h('span', {}, label),
      h('select', {name, change: event => this.change({[name]: event.target.value})}, h('option', {value: ''}, 'Any'),
        options.map(([value, title, n]) => h('option', {value}, `${title} (${count(n)})`))));
    const counts = (keyOf, titleOf = key => key) => [...tally(all, keyOf)].sort(([a], [b]) => collator.compare(a, b))
      .map(([key, n]) => [key, titleOf(key), n]);
    return h('form.filters', {role: 'search', submit: event => event.preventDefault()},
      h('label.wide', {}, h('span', {}, 'Search'), search),
      h('details', {open: !NARROW.matches}, h('summary', {}, 'Filters'), h('div.filters', {},
        choice('outcome', 'Outcome', counts(row => requests.outcome(row))),
        choice('role', 'Role', counts(row => requests.role(row))),
        choice('organization', 'Organization', counts(row => requests.organization(row))),
        choice('repository', 'Repository', counts(row => requests.repositories(row))),
        choice('reason', 'Refused for', counts(row => requests.reason(row))),
        choice('use', 'Use', counts(row => requests.use(row), use => USES[use])),
        h('button', {type: 'button', click: () => this.go({})}, 'Clear'))));
  }

  change(part) {
    this.go({...this.filter, ...part});
  }

  // closed goes back to the table when the drawer is, but for a link to another page.
  closed() {
    if (!location.hash.startsWith('#/requests')) return;
    this.change({request: undefined});
    this.grid.element.focus();
  }

  sort(column) {
    const {sort = 'time', direction = 'down'} = this.filter;
    this.change({sort: column, direction: sort === column && direction === 'down' ? 'up' : 'down'});
  }

  // show brings the page to a filter.
  show(filter) {
    const {requests} = this.report;
    const before = this.filter;
    this.filter = filter;
    if (!this.rows || [...FILTERS, 'sort', 'direction'].some(name => before[name] !== filter[name])) {
      this.rows = requests.filter(filter);
      this.fillForm();
      const bounded = filter.from || filter.to;
      const [first, last] = span(requests, requests.all);
      this.timeline.show(bounded ? requests.filter({...filter, from: '', to: ''}) : this.rows,
        bounded ? [Number(filter.from || first), Number(filter.to || last + 1)] : null);
      this.grid.show(this.rows, filter.sort || 'time', filter.direction || 'down');
      this.matches.textContent = this.rows.length === requests.length ? `${counted(requests.length, 'request')}`
        : `${count(this.rows.length)} of ${counted(requests.length, 'request')}`;
    }
    this.showDetail(filter.request);
  }

  showDetail(id) {
    const row = id && this.report.requests.byId.get(id);
    if (row === undefined || row === '') return this.detail.close();
    const position = this.rows.indexOf(row);
    if (position >= 0) this.grid.activate(position);
    this.detail.show(row);
  }

  fillForm() {
    for (const field of this.form.elements) {
      if (field.name && field !== document.activeElement) field.value = this.filter[field.name] ?? '';
    }
  }
}

function requestColumns(requests) {
  const {rows} = requests;
  const sortable = true;
  return [
    {id: 'time', label: 'Time (UTC)', sortable, cell: row => timeNode(requests.times[row])},
    {id: 'outcome', label: 'Outcome', sortable, cell: row => [badge(requests.outcome(row) ?? 'unknown'), h('span.muted', {}, requests.reason(row))]},
    {id: 'role', label: 'Role', sortable, cell: row => requests.role(row)},
    {id: 'who', label: 'Who', sortable, cell: row => valueNode(requests.who(row))},
    {id: 'repositories', label: 'Repositories', sortable, cell: row => repositoriesCell(requests, row)},
    {id: 'permissions', label: 'Permissions', sortable, cell: row => valueNode(requests.permissions(row))},
    {id: 'ttl', label: 'TTL', sortable, cell: row => Number.isFinite(rows.number('grant.ttl', row)) ? duration(rows.number('grant.ttl', row) * SECOND) : ''},
    {id: 'uses', label: 'Uses', sortable, cell: row => usesCell(requests, row)},
    {id: 'ended', label: 'Lease ended by', sortable, cell: row => rows.value('ended_by', row) ?? ''},
  ];
}

function repositoriesCell(requests, row) {
  if (requests.rows.value('grant.repository_selection', row) === 'all') return [h('strong', {}, 'all'), ' of ', valueNode(requests.organization(row))];
  const [first, ...rest] = requests.repositories(row);
  return first === undefined ? '' : [valueNode(first), rest.length ? h('span.muted', {}, ` + ${rest.length}`) : null];
}

function usesCell(requests, row) {
  switch (requests.use(row)) {
    case 'unused': return h('span.badge.low', {}, 'never');
    case 'after': return [count(requests.uses(row)), ' ', h('span.badge.critical', {}, 'after end')];
    case 'used': return count(requests.uses(row));
    default: return '';
  }
}
