// One request with everything that the logs tell about it, in a drawer.

const LABELS = {
  request_id: 'Request', time: 'Asked', answered: 'Answered', 'grant.expires_at': 'End of the token at GitHub',
  'usage.first': 'First use', 'usage.last': 'Last use', 'usage.last_after_end': 'Last use after the end', ended: 'Lease ended',
  revoked: 'Token revoked', ended_by: 'Lease ended by', 'grant.hashed_token': 'Hashed token', 'grant.lease_id': 'Lease',
  'grant.ttl': 'TTL of the lease', 'asked.ttl': 'TTL', 'asked.id_token': 'ID token shown', 'grant.repository_ids': 'Repository ids',
  'usage.count': 'Uses', 'usage.api_reads': 'API reads', 'usage.api_writes': 'API writes', 'usage.user_agents': 'User agents at GitHub',
  'usage.permissions': 'Permissions it needed', accessor: 'Accessor of the Vault token', entity_id: 'Entity', joined: 'Seen in GitHub’s log',
};

// SECTIONS take the columns that begin so, the first that fits.
const SECTIONS = [
  ['Claims at login', /^login\./], ['Claims of the ID token', /^grant\.claims\./], ['Asked for', /^asked\./],
  ['Granted', /^grant\./], ['Used', /^(usage\.|joined$)/],
  ['Lease', /^(ended_by|renewals|revocation_failures)$/], ['Request', /^/],
];

const labelOf = name => LABELS[name] ??
  (/^(login|grant\.claims)\./.test(name) ? name.replace(/^(login|grant\.claims)\./, '')
    : sentence(name.split('.').at(-1).replaceAll('_', ' ')));
const sentence = words => words.charAt(0).toUpperCase() + words.slice(1);

class Detail {
  // neighbour(row, step) is the row before or after in the table; closed is called
  // when the drawer is.
  constructor(report, {open, neighbour, closed}) {
    Object.assign(this, {report, open, neighbour});
    this.element = h('dialog.drawer', {'aria-labelledby': 'detail-title', close: closed, click: event => {
      if (event.target === this.element) this.element.close(); // the backdrop
    }});
    document.body.append(this.element);
  }

  show(row) {
    const {requests} = this.report;
    const pressed = this.element.open && document.activeElement.textContent; // Previous or Next, once more
    this.element.replaceChildren();
    fill(this.element, [], {}, [this.header(row), this.refusal(row), this.findings(row), this.life(row),
      SECTIONS.map(([title]) => this.section(row, title))]);
    if (this.element.querySelector('.hashed')) this.element.append(h('p.muted', {}, WHY_HASHED));
    if (!this.element.open) this.element.showModal();
    if (pressed) [...this.element.querySelectorAll('.bar button:enabled')].find(button => button.textContent === pressed)?.focus();
    this.element.scrollTop = 0;
    announce(`Request ${requests.rows.value('request_id', row)}`);
  }

  close() {
    if (this.element.open) this.element.close();
  }

  header(row) {
    const {requests} = this.report;
    const step = (label, to) => h('button.quiet', {type: 'button', disabled: to === undefined, click: () => this.open(to)}, label);
    return h('header', {},
      h('div.bar', {}, badge(requests.outcome(row) ?? 'unknown'), h('span.grow'),
        step('Previous', this.neighbour(row, -1)), step('Next', this.neighbour(row, 1)),
        h('button.quiet', {type: 'button', 'aria-label': 'Close', autofocus: true, click: () => this.close()}, 'Close')),
      h('h2', {id: 'detail-title'}, requests.role(row) || 'no role'),
      h('p.muted', {}, valueNode(requests.who(row)), ' · ', timeNode(requests.times[row])));
  }

  refusal(row) {
    const {rows} = this.report.requests;
    const error = rows.value('error', row), reason = rows.value('reason', row);
    return error || reason ? h('div.callout.refused', {}, reason && h('strong', {}, reason), h('p', {}, valueNode(error))) : null;
  }

  findings(row) {
    const {requests, findings} = this.report;
    const id = requests.rows.value('request_id', row);
    return findings.filter(finding => finding.evidence?.some(evidence => evidence.request_id === id)).map(finding =>
      h('a.callout', {href: link('findings', finding.anchor)}, badge(finding.severity), ' ', finding.title));
  }

  // life tells the moments of the token in order, with the time between.
  life(row) {
    const {rows, times} = this.report.requests;
    const moments = [...rows.times.keys()].map(name => ({name, time: rows.time(name, row)}))
      .filter(({time}) => Number.isFinite(time)).sort((a, b) => a.time - b.time);
    return h('ol.life', {}, moments.map(({name, time}) => h(`li.${name.replace(/\W/g, '-')}`, {},
      h('span', {}, labelOf(name)), timeNode(time),
      h('span.muted', {}, time > times[row] ? `+ ${duration(time - times[row])}` : ''))));
  }

  section(row, title) {
    const {rows} = this.report.requests;
    const entries = rows.names().filter(name => !rows.times.has(name) && sectionOf(name) === title && !['error', 'reason', 'outcome'].includes(name))
      .map(name => [name, rows.value(name, row) ?? rows.number(name, row)])
      .filter(([, value]) => !Number.isNaN(value) && value !== undefined);
    if (!entries.length) return null;
    return [h('h3', {}, title), h('dl.facts', {}, entries.map(([name, value]) => this.fact(row, name, value)))];
  }

  fact(row, name, value) {
    const shown = h('dd', {}, this.linked(row, name, value));
    if (['request_id', 'grant.hashed_token', 'grant.lease_id'].includes(name) && !isHashed(value)) {
      shown.append(' ', copyButton(value, labelOf(name).toLowerCase(), shown));
    }
    return [h('dt', {}, labelOf(name)), shown];
  }

  linked(row, name, value) {
    if (name === 'role') return h('a', {href: link('role', value)}, value);
    if (name === 'grant.repositories') return joined(this.report.requests.repositories(row).map(repositoryLink));
    if (name === 'grant.ttl') return duration(value * SECOND);
    if (name === 'asked.id_token' || name === 'joined' || name === 'grant.wrapped') return 'yes';
    return typeof value === 'number' ? (/(^|_)id$/.test(name) ? String(value) : count(value)) : valueNode(value);
  }
}

const sectionOf = name => SECTIONS.find(([, pattern]) => pattern.test(name))[0];

const repositoryLink = name => isHashed(name) ? valueNode(name) : h('a', {href: link('repo', ...name.split('/'))}, name);
