// Roles and repositories: the lists, and a page for each.

const KINDS = {
  role: {page: 'roles', title: 'Roles', one: 'Role', path: name => [name], groups: requests => requests.byRole},
  repository: {page: 'repos', title: 'Repositories', one: 'Repository', path: name => name.split('/'), groups: requests => requests.byRepository},
};

const subjectLink = (kind, name) => link(kind === 'role' ? 'role' : 'repo', ...KINDS[kind].path(name));

// MOST_LISTED keeps a list drawable; the rest is found by searching.
const MOST_LISTED = 500;

function listPage(report, kind) {
  const {requests} = report;
  const entries = [...KINDS[kind].groups(requests)].map(([name, rows]) => ({name, rows})).sort((a, b) => b.rows.length - a.rows.length);
  const table = h('div'), told = h('p.matches', {role: 'status'});
  const search = h('input', {type: 'search', id: 'search', placeholder: `Search ${KINDS[kind].title.toLowerCase()}`, autocomplete: 'off', input: draw});
  function draw() {
    const found = entries.filter(({name}) => name.toLowerCase().includes(search.value.trim().toLowerCase()));
    told.textContent = `${count(found.length)} of ${count(entries.length)}` + (found.length > MOST_LISTED ? `; the first ${MOST_LISTED} are shown` : '');
    table.replaceChildren(dataTable([KINDS[kind].one, 'Over time', '#Issued', '#Refused', '#Never used', kind === 'role' ? '#Repositories' : '#Roles', 'Last request'],
      found.slice(0, MOST_LISTED).map(({name, rows}) => listRow(requests, kind, name, rows))));
  }
  draw();
  return [h('h1', {}, KINDS[kind].title), h('div.filters', {}, h('label.wide', {}, h('span', {}, 'Search'), search)), told, h('section.panel', {}, table)];
}

function listRow(requests, kind, name, rows) {
  const of = test => count(rows.filter(test).length);
  const others = tally(rows, row => kind === 'role' ? requests.repositories(row) : requests.role(row)).size;
  return [isHashed(name) ? valueNode(name) : h('a', {href: subjectLink(kind, name)}, name || '(none)'), sparkline(requests, rows),
    of(row => requests.outcome(row) === 'issued'), of(row => requests.outcome(row) === 'refused'),
    rows.some(row => requests.isJoined(row)) ? of(row => requests.use(row) === 'unused') : '–',
    count(others), timeNode(span(requests, rows)[1])];
}

// subjectPage is the page of one role or repository.
function subjectPage(report, kind, name) {
  const {requests} = report;
  const rows = KINDS[kind].groups(requests).get(name);
  const back = h('p', {}, h('a', {href: link(KINDS[kind].page)}, `All ${KINDS[kind].title.toLowerCase()}`));
  if (!rows) return [h('h1', {}, name), h('p', {}, `No request in these logs is of this ${kind}.`), back];
  const filter = {[kind]: name};
  const refused = rows.filter(row => requests.outcome(row) === 'refused');
  const other = kind === 'role'
    ? panel('Repositories', ranked(rows, row => requests.repositories(row), repository => subjectLink('repository', repository)))
    : panel('Roles', ranked(rows, row => requests.role(row), role => subjectLink('role', role)));
  return [
    h('p.crumb', {}, h('a', {href: link(KINDS[kind].page)}, KINDS[kind].title)),
    h('h1', {}, name),
    h('p', {}, h('a', {href: requestsWhere(filter)}, `Show its ${counted(rows.length, 'request')}`)),
    tiles(outcomeTiles(requests, rows, filter)),
    timelinePanel(requests, rows, filter),
    panel('Permissions: granted and used', permissionTable(requests, rows)),
    h('div.columns', {},
      panel('Who', ranked(rows, row => requests.who(row), who => requestsWhere({...filter, q: who}))),
      other,
      panel('Refusals', ranked(refused, row => requests.reason(row), reason => requestsWhere({...filter, reason}), {none: 'None.', tone: 'refused'})),
      panel('What used the tokens', ranked(rows, row => requests.rows.value('usage.user_agents', row) ?? [], null, {none: 'GitHub’s log tells of no use.'}))),
    relatedFindings(report, kind, name, rows),
  ];
}

function relatedFindings(report, kind, name, rows) {
  const {requests, findings} = report;
  const ids = new Set(rows.map(row => requests.rows.value('request_id', row)));
  const related = findings.filter(finding => (kind === 'role' && finding.role === name) || finding.evidence?.some(evidence => ids.has(evidence.request_id)));
  return panel('Findings', related.length ? related.map(finding => findingCard(report, finding)) : h('p.muted', {}, 'None.'));
}
