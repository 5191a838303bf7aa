// Builds the page. What the logs tell becomes text nodes and the values of harmless
// attributes, here and nowhere else: nothing in this script parses markup.

const byId = id => document.getElementById(id);

// h makes an element: h('a.name', {href: '#/roles'}, 'Roles'). What is null or false is
// left out; a function is a listener.
function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  return fill(document.createElement(name), classes, attributes, children);
}

// s makes an element of SVG.
function s(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), classes, attributes, children);
}

function fill(element, classes, attributes, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (name === 'href') element.setAttribute('href', inPage(value));
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false)
    .map(child => child instanceof Node ? child : visible(String(child))));
  return element;
}

// visible writes out characters that show nothing or turn the text around them: a branch
// could look like another with them.
function visible(text) {
  return text.replace(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, character => `‹U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);
}

// inPage lets links lead within this page only.
function inPage(href) {
  if (!href.startsWith('#')) throw new Error(`a link out of the page: ${href}`);
  return href;
}

// link leads to a page of the report: link('role', 'release').
function link(page, ...path) {
  return '#/' + [page, ...path].map(encodeURIComponent).join('/');
}

// requestsWhere leads to the requests that a filter leaves.
function requestsWhere(filter) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined && value !== ''));
  return `#/requests${query.size ? '?' + query : ''}`;
}

// announce tells screen readers what changed.
function announce(text) {
  byId('live').textContent = text;
}

// copyButton copies a text; where the browser does not let it, it selects the text's
// element, for copying by hand.
function copyButton(text, what, element) {
  const button = h('button.quiet', {type: 'button', 'aria-label': `Copy ${what}`, click: copy}, 'Copy');
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
      announce(`Copied ${what}`);
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    } catch {
      if (element) getSelection().selectAllChildren(element);
      announce(`Could not copy; ${what} is selected`);
    }
  }
  return button;
}
