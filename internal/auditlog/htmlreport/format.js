// Writes values for people. Every time is UTC, as in the logs.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

const numbers = new Intl.NumberFormat('en');
const collator = new Intl.Collator('en', {numeric: true});

const count = n => numbers.format(n);
const counted = (n, one, many = one + 's') => `${count(n)} ${n === 1 ? one : many}`;
const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(part && part < whole / 100 ? 1 : 0)} %` : '–';

const isoDate = ms => new Date(ms).toISOString().slice(0, 10);
const isoTime = ms => new Date(ms).toISOString().slice(11, 19);
const instant = ms => `${isoDate(ms)} ${isoTime(ms)}`;

function timeNode(ms) {
  return Number.isFinite(ms) ? h('time', {datetime: new Date(ms).toISOString()}, instant(ms)) : '–';
}

// duration writes the two largest units: 1 h 5 min.
function duration(ms) {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  const units = [['d', DAY], ['h', HOUR], ['min', MINUTE], ['s', SECOND]];
  const first = units.findIndex(([, unit]) => ms >= unit);
  let rest = ms;
  return units.slice(first, first + 2).map(([name, unit]) => {
    const n = Math.floor(rest / unit);
    rest -= n * unit;
    return n ? `${n} ${name}` : '';
  }).filter(Boolean).join(' ');
}

const HASHED = /hmac-sha256:([0-9a-f]+)/;
const WHY_HASHED = 'Vault hashes what neither audit_non_hmac_request_keys nor audit_non_hmac_response_keys of the mount names.';
const isHashed = value => typeof value === 'string' && HASHED.test(value);

// text is a value as text, for searching, sorting and titles.
function text(value) {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'object') return Object.entries(value).map(([name, v]) => `${name}=${v}`).sort().join(', ');
  return String(value);
}

// valueNode shows a value, as what h takes for a child; what Vault hashed as a chip.
function valueNode(value) {
  if (value === undefined || value === null || value === '') return h('span.muted', {}, '–');
  if (isHashed(value)) {
    const [before, hash, after] = value.split(HASHED);
    return [before, hashedChip(hash), after];
  }
  if (Array.isArray(value)) return joined(value.map(valueNode));
  if (typeof value === 'object') {
    return joined(Object.entries(value).sort(([a], [b]) => collator.compare(a, b))
      .map(([name, v]) => h('span.pair', {}, name, h('span.muted', {}, '='), valueNode(v))));
  }
  return String(value);
}

function hashedChip(hash) {
  return h('span.chip.hashed', {title: `hmac-sha256:${hash}… ${WHY_HASHED}`},
    'hashed by Vault ', h('code', {}, hash.slice(0, 8)));
}

// joined puts commas between nodes.
const joined = nodes => h('span', {}, nodes.flatMap((node, i) => i ? [', ', node] : [node]));

const OUTCOMES = ['issued', 'refused', 'unanswered'];
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];

const badge = name => h(`span.badge.${/^[a-z]+$/.test(name) ? name : 'other'}`, {}, name);
