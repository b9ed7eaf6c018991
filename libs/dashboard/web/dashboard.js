/** The few things that every page of the house needs. Text is always set as text, never as markup. */

/** An element with properties and children: `el('td', { className: 'bad' }, 'down')`. */
export function el(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Circle, triangle or cross with its word: colour is never alone. */
export function state(word, kind) {
  return el('span', { className: `state ${kind}` }, word);
}

/** A table inside a region that scrolls by keyboard; `rows` are arrays of cells. */
export function table(caption, headings, rows) {
  const head = el('tr', {}, ...headings.map((heading) => el('th', { scope: 'col' }, heading)));
  const nothing = el('tr', {}, el('td', { colSpan: headings.length, className: 'note' }, 'none'));
  const body =
    rows.length === 0
      ? [nothing]
      : rows.map((cells) => el('tr', {}, ...cells.map((cell) => el('td', {}, cell))));
  const scroll = el('div', { className: 'scroll', tabIndex: 0 });
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', caption);
  scroll.append(el('table', {}, el('thead', {}, head), el('tbody', {}, ...body)));
  return scroll;
}

/** JSON of a request; a problem answer becomes an Error that says what failed. */
export async function json(path, init) {
  const started = performance.now();
  const response = await fetch(path, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  const body = text === '' ? undefined : JSON.parse(text);
  if (!response.ok && !(body && 'status' in body && 'service' in body)) {
    throw new Error(
      `${response.status} ${body?.code ?? response.statusText}: ${body?.detail ?? body?.title ?? ''}`,
    );
  }
  return { body, ms: Math.round(performance.now() - started), status: response.status };
}

/** Says something to people who do not see the page; at most the newest message counts. */
export function announce(message) {
  document.querySelector('#announcer').textContent = message;
}
