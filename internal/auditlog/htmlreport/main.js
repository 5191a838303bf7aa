// Starts the page: reads the data, then shows what the address names.

const KEYS = [['/', 'Search'], ['g o', 'Overview'], ['g r', 'Requests'], ['g f', 'Findings'], ['↑ ↓ Page Home End', 'Move in the table'],
  ['Enter', 'Open the request'], ['Escape', 'Close what is open'], ['← →', 'Move a handle of the timeline, ten steps with Shift'],
  ['+ −', 'Zoom the timeline in or out, on a handle'], ['t', 'Light or dark'], ['?', 'This help']];

const TABS = [['', 'Overview'], ['requests', 'Requests'], ['roles', 'Roles'], ['repos', 'Repositories'], ['findings', 'Findings'], ['uses', 'Uses without a lease']];

// PARENTS are the tabs that pages belong to.
const PARENTS = {role: 'roles', repo: 'repos'};

class App {
  constructor({about, requests, strays}) {
    const findings = (about.findings ?? []).map((finding, i) => ({...finding, anchor: `finding-${i + 1}`}));
    this.report = {about, requests: new Requests(requests), strays, findings};
    this.browse = new Browse(this.report, filter => location.replace(requestsWhere(filter)));
    this.help = helpDialog();
    byId('top').append(h('a.brand', {href: '#/'}, about.title),
      h('nav', {'aria-label': 'Report'}, TABS.filter(([page]) => page !== 'uses' || strays.length)
        .map(([page, label]) => h('a', {href: `#/${page}`, 'data-page': page}, label))),
      h('button.quiet', {type: 'button', click: toggleTheme, 'aria-label': 'Light or dark'}, '◐'),
      h('button.quiet', {type: 'button', click: () => this.help.showModal(), 'aria-label': 'Help'}, '?'));
    addEventListener('hashchange', () => this.route());
    addEventListener('keydown', event => this.key(event));
    this.route();
  }

  // route shows the page of the address.
  route() {
    const {page, rest, query} = readAddress(location.hash);
    for (const tab of document.querySelectorAll('nav a')) {
      if (tab.dataset.page === (PARENTS[page] ?? page)) {
        tab.setAttribute('aria-current', 'page');
        tab.scrollIntoView({block: 'nearest', inline: 'center'});
      } else tab.removeAttribute('aria-current');
    }
    if (page === 'requests') this.showRequests(Object.fromEntries(new URLSearchParams(query)));
    else this.showPage(page, rest);
    this.shown = page;
  }

  showRequests(filter) {
    if (this.shown !== 'requests') this.replace(this.browse.element);
    this.browse.show(filter);
  }

  showPage(page, rest) {
    const {report} = this;
    this.browse.detail.close();
    const pages = {
      '': () => overviewPage(report),
      roles: () => listPage(report, 'role'),
      repos: () => listPage(report, 'repository'),
      role: () => subjectPage(report, 'role', rest.join('/')),
      repo: () => subjectPage(report, 'repository', rest.join('/')),
      findings: () => findingsPage(report),
      uses: () => straysPage(report),
    };
    this.replace(pages[Object.hasOwn(pages, page) ? page : '']());
    if (page === 'findings' && rest.length) {
      const finding = byId(rest[0]);
      finding?.scrollIntoView();
      finding?.focus();
    }
  }

  replace(content) {
    const main = byId('main');
    main.replaceChildren();
    fill(main, [], {}, [content]);
    document.title = `${main.querySelector('h1').textContent} – ${this.report.about.title}`;
    scrollTo(0, 0);
    if (this.shown !== undefined) main.focus({preventScroll: true});
  }

  key(event) {
    if (event.target.matches('input, select, textarea')) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const leads = this.leader && {o: '#/', r: '#/requests', f: '#/findings'}[event.key];
    this.leader = event.key === 'g';
    if (leads) location.hash = leads;
    else if (event.key === '/') this.search();
    else if (event.key === '?') this.help.showModal();
    else if (event.key === 't') toggleTheme();
    else return;
    event.preventDefault();
  }

  search() {
    if (!byId('search')) {
      location.hash = '#/requests';
      this.route();
    }
    byId('search').focus();
  }
}

// readAddress takes #/page/rest?query apart.
function readAddress(hash) {
  const [path, query] = hash.replace(/^#\/?/, '').split('?');
  try {
    const [page, ...rest] = path.split('/').map(decodeURIComponent);
    return {page, rest, query};
  } catch {
    return {page: '', rest: []}; // not an address of this page
  }
}

function helpDialog() {
  const dialog = h('dialog.help', {'aria-labelledby': 'help-title'}, h('h2', {id: 'help-title'}, 'Keys'),
    h('dl.facts', {}, KEYS.map(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)])),
    h('button', {type: 'button', click: () => dialog.close()}, 'Close'));
  document.body.append(dialog);
  return dialog;
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
}

load().then(data => new App(data)).catch(error => byId('main').replaceChildren(h('p.callout.refused', {role: 'alert'}, error.message)));
