// The requests as the pages ask for them: who, for what, used or not; by role and by
// repository; filtered and sorted.

const FILTERS = ['q', 'outcome', 'role', 'repository', 'organization', 'reason', 'use', 'from', 'to'];

const USES = {used: 'Used', unused: 'Never used', after: 'Used after its end', unknown: 'Not known'};

class Requests {
  constructor(rows) {
    this.rows = rows;
    this.length = rows.length;
    this.all = Uint32Array.from({length: rows.length}, (_, row) => row);
    this.times = rows.times.get('time') ?? new Float64Array();
    this.outcomes = this.all.map(row => OUTCOMES.indexOf(rows.value('outcome', row)));
    this.findOrganizations();
    this.findRepositories();
    this.byRole = this.group(row => [this.role(row)]);
    this.byRepository = this.group(row => this.repositories(row));
    this.byId = new Map();
    for (const row of this.all) this.byId.set(rows.value('request_id', row), row);
    this.ranks = new Map(); // column -> sort key of each row
  }

  role(row) { return this.rows.value('role', row) ?? ''; }
  outcome(row) { return OUTCOMES[this.outcomes[row]]; }
  reason(row) { return this.rows.value('reason', row) ?? ''; }
  repositories(row) { return this.repositoryLists[row]; }
  permissions(row) { return this.rows.value('grant.permissions', row) ?? this.rows.value('asked.permissions', row) ?? {}; }
  uses(row) { return this.rows.number('usage.count', row) || 0; }
  isJoined(row) { return this.rows.number('joined', row) === 1; }

  who(row) {
    return this.rows.value('grant.subject', row) ?? this.rows.value('login.sub', row) ?? this.rows.value('display_name', row) ?? '';
  }

  // organization is that of the role where the logs do not tell it, or hashed.
  organization(row) {
    const told = this.rows.value('grant.organization', row);
    return told && !isHashed(told) ? told : this.organizationOf.get(this.role(row)) ?? told ?? '';
  }

  // use is a key of USES; '' if there was no token.
  use(row) {
    if (this.outcome(row) !== 'issued') return '';
    if (this.rows.number('usage.after_end', row) > 0) return 'after';
    if (this.uses(row)) return 'used';
    return this.isJoined(row) ? 'unused' : 'unknown';
  }

  // findOrganizations finds the organization of each role that issues for one only.
  findOrganizations() {
    this.organizationOf = new Map();
    for (const row of this.all) {
      const organization = this.rows.value('grant.organization', row);
      if (!organization || isHashed(organization)) continue;
      const known = this.organizationOf.get(this.role(row));
      this.organizationOf.set(this.role(row), known === undefined || known === organization ? organization : null);
    }
  }

  // findRepositories names each row's repositories in full. Equal lists are shared.
  findRepositories() {
    const lists = new Map();
    this.repositoryLists = Array.from(this.all, row => {
      const names = this.rows.value('grant.repositories', row) ?? this.rows.value('asked.repositories', row);
      if (!names) return NONE;
      const organization = this.organization(row);
      return ensure(lists, `${organization}/${names.join('/')}`, () =>
        names.map(name => organization && !name.includes('/') ? `${organization}/${name}` : name));
    });
  }

  group(keys) {
    const groups = new Map();
    for (const row of this.all) for (const key of keys(row)) ensure(groups, key, () => []).push(row);
    return groups;
  }

  // filter returns the rows that a filter leaves, sorted.
  filter(filter) {
    const tests = this.tests(filter);
    return this.sorted(filter.sort || 'time', filter.direction !== 'up').filter(row => tests.every(test => test(row)));
  }

  tests({q, outcome, role, repository, organization, reason, use, from, to}) {
    const tests = [];
    if (from || to) {
      const [first, last] = [from ? Number(from) : -Infinity, to ? Number(to) : Infinity];
      tests.push(row => this.times[row] >= first && this.times[row] < last);
    }
    if (outcome) tests.push(row => this.outcome(row) === outcome);
    if (role) tests.push(row => this.role(row) === role);
    if (organization) tests.push(row => this.organization(row) === organization);
    if (repository) tests.push(row => this.repositories(row).includes(repository));
    if (reason) tests.push(row => this.reason(row) === reason);
    if (use) tests.push(row => this.use(row) === use);
    for (const term of (q ?? '').split(/\s+/).filter(Boolean)) {
      const hits = this.search(term);
      tests.push(row => hits[row] === 1);
    }
    return tests;
  }

  // search marks the rows of which some value holds the term, whatever its case. It looks
  // at each different value once.
  search(term) {
    const hits = new Uint8Array(this.length);
    const pattern = new RegExp(term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
    for (const {values, ids} of this.rows.texts.values()) {
      const matches = Uint8Array.from(values, value => pattern.test(typeof value === 'string' ? value : text(value)) ? 1 : 0);
      if (matches.includes(1)) for (let row = 0; row < hits.length; row++) hits[row] |= matches[ids[row]];
    }
    for (const [name, rows] of this.byRepository) if (pattern.test(name)) for (const row of rows) hits[row] = 1;
    return hits;
  }

  // sorted returns every row in the order of a column; equal ones by time.
  sorted(column, down) {
    const key = ensure(this.ranks, column, () => this.sortKey(column));
    const sign = down ? -1 : 1;
    return this.all.slice().sort((a, b) => sign * (key[a] - key[b]) || this.times[b] - this.times[a] || a - b);
  }

  // sortKey is a number for each row; what a row lacks is least.
  sortKey(column) {
    const value = SORTS[column] ?? SORTS.time;
    const values = Array.from(this.all, row => value(this, row));
    if (typeof values[0] !== 'string') return Float64Array.from(values, n => Number.isFinite(n) ? n : -Infinity);
    const ranks = new Map([...new Set(values)].sort(collator.compare).map((text, i) => [text, i]));
    return Float64Array.from(values, text => ranks.get(text));
  }
}

const NONE = [];

const SORTS = {
  time: (requests, row) => requests.times[row],
  outcome: (requests, row) => `${requests.outcome(row)} ${requests.reason(row)}`,
  role: (requests, row) => requests.role(row),
  who: (requests, row) => requests.who(row),
  repositories: (requests, row) => text(requests.repositories(row)),
  permissions: (requests, row) => text(requests.permissions(row)),
  ttl: (requests, row) => requests.rows.number('grant.ttl', row),
  uses: (requests, row) => requests.isJoined(row) ? requests.uses(row) : NaN,
  ended: (requests, row) => requests.rows.value('ended_by', row) ?? '',
};
