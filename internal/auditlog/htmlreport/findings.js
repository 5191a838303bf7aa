// The findings, and the uses that no lease accounts for.

function findingsPage(report) {
  const {findings} = report;
  const list = h('div');
  const choose = severity => {
    const shown = findings.filter(finding => !severity || finding.severity === severity);
    list.replaceChildren(...shown.map(finding => findingCard(report, finding)));
    for (const button of bar.children) button.setAttribute('aria-pressed', String(button.dataset.severity === severity));
    announce(counted(shown.length, 'finding'));
  };
  const button = (severity, label, n) => h('button', {type: 'button', 'data-severity': severity, click: () => choose(severity)}, `${label} (${count(n)})`);
  const bar = h('div.choices', {role: 'group', 'aria-label': 'Severity'}, button('', 'All', findings.length),
    SEVERITIES.map(severity => [severity, findings.filter(finding => finding.severity === severity).length])
      .filter(([, n]) => n).map(([severity, n]) => button(severity, sentence(severity), n)));
  choose('');
  return [h('h1', {}, 'Findings'), findings.length ? [bar, list] : h('p.muted', {}, 'Nothing was found.')];
}

function straysPage({strays}) {
  const text = name => row => valueNode(strays.value(name, row));
  const dialog = h('dialog.drawer', {'aria-labelledby': 'use-title', close: () => grid.element.focus()});
  const grid = new Grid({open: row => openUse(dialog, strays, row), label: 'Uses without a lease', kind: 'uses', columns: [
    {id: 'time', label: 'Time (UTC)', cell: row => timeNode(strays.time('time', row))},
    {id: 'action', label: 'Action', cell: text('action')},
    {id: 'actor', label: 'Actor', cell: text('actor')},
    {id: 'repository', label: 'Repository', cell: text('repository')},
    {id: 'route', label: 'Request', cell: row => [strays.value('method', row), strays.value('route', row) ?? strays.value('path', row)].filter(Boolean).join(' ')},
    {id: 'agent', label: 'User agent', cell: text('user_agent')},
    {id: 'token', label: 'Hashed token', cell: text('hashed_token')},
    {id: 'before', label: 'Issued', cell: row => strays.number('before_log', row) === 1 ? h('span.muted', {}, 'maybe before the log') : h('span.badge.critical', {}, 'not by Vault')},
  ]});
  grid.show(Uint32Array.from({length: strays.length}, (_, row) => row).sort((a, b) => strays.time('time', b) - strays.time('time', a)));
  return [h('h1', {}, 'Uses without a lease'),
    h('p', {}, 'GitHub’s log tells of these uses, and no lease of Vault accounts for their tokens. A token that was not issued before the log begins was minted with the App’s key outside Vault.'),
    h('p.matches', {}, counted(strays.length, 'use')), strays.length ? [grid.element, dialog] : null];
}

// openUse shows everything that GitHub tells of a use.
function openUse(dialog, strays, row) {
  const facts = strays.names().filter(name => name !== 'time' && name !== 'before_log')
    .map(name => [name, strays.value(name, row) ?? strays.number(name, row)])
    .filter(([, value]) => value !== undefined && !Number.isNaN(value))
    .map(([name, value]) => [h('dt', {}, labelOf(name)), h('dd', {}, valueNode(value), name === 'hashed_token' ? copyButton(value, 'the hashed token') : null)]);
  dialog.replaceChildren(
    h('div.bar', {}, h('span.grow'), h('button.quiet', {type: 'button', click: () => dialog.close()}, 'Close')),
    h('h2', {id: 'use-title'}, 'Use without a lease'), h('p.muted', {}, timeNode(strays.time('time', row))), h('dl.facts', {}, facts));
  dialog.showModal();
}

