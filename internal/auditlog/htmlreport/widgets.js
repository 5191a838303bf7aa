// Parts that several pages share.

// tiles shows numbers: {label, value, note, href, tone}.
function tiles(entries) {
  return h('ul.tiles', {}, entries.filter(Boolean).map(({label, value, note, href, tone}) => {
    const content = [h('span.label', {}, label), h('strong', {}, value), h('span.note', {}, note ?? '')];
    return h(`li.${tone ?? 'plain'}`, {}, href ? h('a', {href}, content) : h('div', {}, content));
  }));
}

// panel is a titled part of a page.
function panel(title, ...content) {
  return h('section.panel', {}, h('h2', {}, title), ...content);
}

// ranking shows counts as bars, the largest first: [{label, n, href}].
function ranking(entries, {most = 8, none = 'None.', tone = 'issued'} = {}) {
  if (!entries.length) return h('p.muted', {}, none);
  const sorted = entries.toSorted((a, b) => b.n - a.n);
  const bar = ({label, n, href}) => {
    const meter = h(`i.meter.${tone}`);
    meter.style.width = `${100 * n / sorted[0].n}%`;
    return h('li', {}, h('span.name', {}, href ? h('a', {href}, label) : label), h('span.n', {}, count(n)), meter);
  };
  const rest = sorted.slice(most);
  return [h('ol.ranking', {}, sorted.slice(0, most).map(bar)),
    rest.length ? h('details', {}, h('summary', {}, `${count(rest.length)} more`), h('ol.ranking', {}, rest.slice(0, 500).map(bar))) : null];
}

// tally counts rows by a text, or by each of a list of texts.
function tally(rows, keyOf) {
  const counts = new Map();
  for (const row of rows) for (const key of [keyOf(row)].flat()) if (key) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

// ranked is a ranking of a tally.
function ranked(rows, keyOf, hrefOf, options) {
  return ranking([...tally(rows, keyOf)].map(([key, n]) => ({label: valueNode(key), n, href: isHashed(key) ? undefined : hrefOf?.(key)})), options);
}

// timelinePanel draws rows over time; a range of it leads to its requests.
function timelinePanel(requests, rows, filter = {}) {
  const more = h('p.muted', {}, 'Drag over the timeline, or move its handles with the arrow keys, to select a range.');
  const timeline = new Timeline(requests, (from, to) => {
    const within = rows.filter(row => requests.times[row] >= from && requests.times[row] < to).length;
    more.replaceChildren(from === undefined ? '' : h('a', {href: requestsWhere({...filter, from, to})}, `Show ${counted(within, 'request')} of this range`));
  });
  timeline.show(rows);
  return h('section.panel', {}, h('h2', {}, 'Requests over time'), timeline.element, more);
}

// outcomeTiles counts rows by outcome and use.
function outcomeTiles(requests, rows, filter = {}) {
  const of = outcome => rows.filter(row => requests.outcome(row) === outcome);
  const issued = of('issued'), joinedRows = issued.filter(row => requests.isJoined(row));
  const unused = joinedRows.filter(row => requests.use(row) === 'unused').length;
  const after = joinedRows.filter(row => requests.use(row) === 'after').length;
  const tile = outcome => {
    const n = of(outcome).length;
    return {label: sentence(outcome), value: count(n), note: percent(n, rows.length), tone: outcome, href: requestsWhere({...filter, outcome})};
  };
  return [
    ...OUTCOMES.map(tile),
    joinedRows.length ? {label: 'Never used', value: count(unused), note: `${percent(unused, joinedRows.length)} of the tokens that GitHub’s log covers`,
      href: requestsWhere({...filter, use: 'unused'})}
      : {label: 'Used', value: '–', note: 'needs GitHub’s audit log'},
    after ? {label: 'Used after the end', value: count(after), tone: 'critical', note: 'of their lease', href: requestsWhere({...filter, use: 'after'})} : null,
  ];
}

// sparkline draws rows over the whole time of the report.
function sparkline(requests, rows) {
  const [first, last] = span(requests, requests.all);
  const bins = new Array(30).fill(0);
  for (const row of rows) bins[Math.min(29, Math.floor(30 * (requests.times[row] - first) / (last - first || 1)))]++;
  const most = Math.max(1, ...bins);
  return s('svg.spark', {viewBox: '0 0 120 24', 'aria-hidden': 'true'}, bins.map((n, i) =>
    n ? s('rect', {x: i * 4, y: 24 - Math.max(1, 24 * n / most), width: 3, height: Math.max(1, 24 * n / most)}) : null));
}

// permissionTable sets what was granted beside what was used.
function permissionTable(requests, rows) {
  const granted = new Map();
  for (const row of rows) {
    if (requests.outcome(row) !== 'issued') continue;
    const used = requests.rows.value('usage.permissions', row) ?? {};
    for (const [name, level] of Object.entries(requests.permissions(row))) {
      const entry = ensure(granted, name, () => ({levels: new Set(), tokens: 0, joined: 0, used: 0, uses: 0, needed: new Set()}));
      const needs = Object.entries(used).filter(([need]) => need.startsWith(`${name}=`));
      entry.levels.add(level);
      entry.tokens++;
      if (requests.isJoined(row)) entry.joined++;
      if (needs.length) entry.used++;
      for (const [need, n] of needs) { entry.needed.add(need.slice(name.length + 1)); entry.uses += n; }
    }
  }
  if (!granted.size) return h('p.muted', {}, 'None was issued.');
  return dataTable(['Permission', 'Granted', '#Tokens', '#Used by', '#Uses', 'Needed'],
    [...granted].sort(([a], [b]) => collator.compare(a, b)).map(([name, e]) => [
      name, joined([...e.levels].sort().map(valueNode)), count(e.tokens),
      e.joined ? `${count(e.used)} (${percent(e.used, e.joined)})` : '–', e.joined ? count(e.uses) : '–',
      name === 'metadata' ? h('span.muted', {}, 'part of every token')
        : !e.joined ? h('span.muted', {}, 'not known') : e.needed.size ? [...e.needed].sort().join(', ')
        : h('span.badge.medium', {}, 'never')]));
}

// dataTable is a plain table; a heading that begins with # is of numbers.
function dataTable(headings, rows) {
  const isNumber = headings.map(heading => heading.startsWith('#'));
  return h('div.scroll', {tabindex: 0, role: 'region', 'aria-label': headings[0].replace('#', '')}, h('table', {},
    h('thead', {}, h('tr', {}, headings.map((heading, i) => h(isNumber[i] ? 'th.number' : 'th', {scope: 'col'}, heading.replace('#', ''))))),
    h('tbody', {}, rows.map(cells => h('tr', {}, cells.map((cell, i) => h(isNumber[i] ? 'td.number' : 'td', {}, cell)))))));
}

// findingCard is a finding in full.
function findingCard(report, finding) {
  const proposal = finding.proposal && h('pre', {tabindex: 0}, finding.proposal);
  const shown = finding.evidence ?? [];
  return h('article.finding', {id: finding.anchor, tabindex: -1, 'data-rule': finding.rule},
    h('header', {}, badge(finding.severity), h('h2', {}, finding.title), h('code.muted', {}, finding.rule)),
    h('p.muted', {}, counted(finding.count, 'time'),
      finding.first ? [', ', timeNode(Date.parse(finding.first)), ' to ', timeNode(Date.parse(finding.last))] : null,
      finding.role ? [' · role ', h('a', {href: link('role', finding.role)}, finding.role)] : null,
      finding.subject ? [' · ', valueNode(finding.subject)] : null),
    h('p', {}, h('strong', {}, 'To do: '), finding.remedy),
    proposal ? h('div.proposal', {}, proposal, copyButton(finding.proposal, 'the proposal', proposal)) : null,
    shown.length ? h('details', {open: shown.length <= 3}, h('summary', {}, `Evidence: ${count(shown.length)} of ${count(finding.count)}`),
      h('ul.evidence', {}, shown.map(evidence => evidenceLine(report, evidence)))) : null);
}

function evidenceLine({requests}, {time, request_id: id, text}) {
  return h('li', {}, timeNode(Date.parse(time)), ' ',
    id && requests.byId.has(id) ? h('a', {href: requestsWhere({request: id})}, text) : text);
}
