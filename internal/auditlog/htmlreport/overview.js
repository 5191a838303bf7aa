// The first page: what there is, and what to look at.

function overviewPage(report) {
  const {requests, findings, about, strays} = report;
  const {all} = requests;
  const [first, last] = span(requests, all);
  return [
    h('h1', {}, about.title),
    h('p.muted', {}, all.length ? [timeNode(first), ' to ', timeNode(last), ` UTC (${duration(last - first)}) · `] : 'No request in these logs · ',
      `${counted(requests.byRole.size, 'role')} · ${counted(requests.byRepository.size, 'repository', 'repositories')} · written `, timeNode(Date.parse(about.generated))),
    tiles([...outcomeTiles(requests, all), {
      label: 'Findings', value: count(findings.length), href: '#/findings', tone: findings[0]?.severity,
      note: SEVERITIES.map(severity => [severity, findings.filter(f => f.severity === severity).length])
        .filter(([, n]) => n).map(([severity, n]) => `${n} ${severity}`).join(', '),
    }]),
    all.length ? timelinePanel(requests, all) : null,
    h('div.columns', {},
      panel('What to look at', findings.length ? h('ul.short', {}, findings.slice(0, 7).map(finding => h('li', {},
        badge(finding.severity), ' ', h('a', {href: link('findings', finding.anchor)}, finding.title))),
      findings.length > 7 ? h('li', {}, h('a', {href: '#/findings'}, `All ${count(findings.length)} findings`)) : null)
        : h('p.muted', {}, 'Nothing was found.'),
      strays.length ? h('p', {}, h('a', {href: '#/uses'}, `${counted(strays.length, 'use')} at GitHub of tokens that no lease accounts for`)) : null),
      panel('Why requests were refused', ranked(all, row => requests.reason(row), reason => requestsWhere({reason}), {none: 'None was.', tone: 'refused'})),
      panel('Roles', ranked(all, row => requests.role(row), role => link('role', role))),
      panel('Repositories', ranked(all, row => requests.repositories(row), name => link('repo', ...name.split('/'))))),
    panel('About this report', about.notes?.length ? h('ul.notes', {}, about.notes.map(note => h('li', {}, note))) : null,
      about.files?.length ? h('p.muted', {}, 'Read: ', about.files.join(', ')) : null,
      h('p.muted', {}, 'This file holds all that it shows, and connects to nothing.')),
  ];
}
