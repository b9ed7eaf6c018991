import { announce, el, json, state, table } from '/dashboard/dashboard.js';

const $ = (selector) => document.querySelector(selector);

/** A page holds what a person can read, whatever the registry holds. */
const perPage = 10;
const perService = 20;
const perList = 100;

/** Seconds that the registry may hold an answer back until something changes. */
const waitSeconds = 25;

/** Milliseconds between two drawings, however much changes. */
const pauseMs = 250;
const retryMs = 2000;

/** What is shown: a page of services (`after` of each page up to this one), or of the instances of one service. */
let shown = { search: '', after: [''], service: undefined, offset: 0 };
let asking = new AbortController();

const nameOf = ({ name, namespace }) => (namespace === undefined ? name : `${namespace}/${name}`);
const key = (instance) => `${nameOf(instance)}/${instance.id}`;

function removeButton({ name, namespace = 'default', id, host, port }) {
  const remove = async () => {
    try {
      const query = new URLSearchParams({ host, id, namespace });
      await json(`/services/${encodeURIComponent(name)}/${port}?${query}`, { method: 'DELETE' });
      announce(`${id} removed. If it is alive, it returns with its next heartbeat.`);
    } catch (error) {
      announce(error.message);
    }
  };
  return el('button', { type: 'button', onclick: remove, ariaLabel: `Remove ${id}` }, 'Remove');
}

function row(instance) {
  const { id, host, port, heartbeatInterval, registeredAt, metadata } = instance;
  const details = Object.entries(metadata).map(([name, value]) => `${name}: ${value}`);
  return [
    id,
    `${host}:${port}`,
    state(
      instance.protected ? 'up, not heard' : instance.status,
      instance.status === 'up' && !instance.protected ? 'good' : 'warn',
    ),
    `${heartbeatInterval} s`,
    new Date(registeredAt).toLocaleTimeString(),
    details.join(', '),
    removeButton(instance),
  ];
}

const headings = ['Instance', 'Address', 'State', 'Heartbeat', 'Since', 'Metadata', 'Action'];

function address() {
  const { search, after, service, offset } = shown;
  const query = new URLSearchParams({ status: 'any', wait: waitSeconds });
  if (search !== '') query.set('search', search);
  const add = (more) => Object.entries(more).forEach(([name, value]) => query.set(name, value));
  if (service === undefined) {
    add({ namespace: '*', limit: perPage, instances: perService, after: after.at(-1) });
    return `/services?${query}`;
  }
  add({ namespace: service.namespace ?? 'default', limit: perList, offset });
  return `/services/${service.name}?${query}`;
}

/** Shows something else, from now on. */
function show(change) {
  shown = { ...shown, ...change };
  asking.abort();
}

/** The services to draw, `total` of how many, and what else is there. */
function read({ status, body }) {
  if (shown.service === undefined) return body;
  const { instances = [], total = 0 } = status === 404 ? {} : body;
  const next = shown.offset + instances.length < total ? true : undefined;
  return { services: [{ ...shown.service, instances, total }], total, next };
}

let drawn = new Set();

function draw({ services, total, next }) {
  const focused = document.activeElement?.ariaLabel;
  $('#services').replaceChildren(...services.flatMap(section));
  if (services.length === 0) {
    const nobody = shown.search === '' ? 'Nobody has registered yet.' : `Nothing is called ${shown.search}.`;
    $('#services').append(el('p', { className: 'note' }, nobody));
  }
  if (focused) $(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  drawPages(services, total, next);
  const now = new Set(services.flatMap(({ instances }) => instances.map(key)));
  const gone = [...drawn].filter((one) => !now.has(one));
  if (gone.length > 0) announce(gone.length === 1 ? `${gone[0]} is gone.` : `${gone.length} are gone.`);
  drawn = now;
}

function section(service) {
  const { instances, total } = service;
  const name = nameOf(service);
  const more = el('button', { type: 'button', ariaLabel: `All of ${name}` }, `All ${total}`);
  more.onclick = () => show({ service: { name: service.name, namespace: service.namespace }, offset: 0 });
  const isCut = shown.service === undefined && total > instances.length;
  return [
    el('h3', {}, name),
    table(`Instances of ${name}`, headings, instances.map(row)),
    isCut ? el('p', { className: 'note' }, `${instances.length} of ${total} instances. `, more) : '',
  ];
}

function drawPages(services, total, next) {
  const { service, after, offset } = shown;
  const isList = service === undefined;
  const first = isList ? (after.length - 1) * perPage : offset;
  const count = isList ? services.length : services[0].instances.length;
  const what = isList ? 'services' : `instances of ${nameOf(service)}`;
  $('#place').textContent = count === 0 ? '' : `${first + 1} to ${first + count} of ${total} ${what}`;
  $('#back').hidden = isList;
  $('#previous').disabled = first === 0;
  $('#next').disabled = next === undefined;
  $('#pages').hidden = isList && first === 0 && next === undefined;
  $('#next').onclick = () => {
    drawn = new Set();
    show(isList ? { after: [...after, next] } : { offset: offset + perList });
  };
}

$('#previous').onclick = () => {
  drawn = new Set();
  const { service, after, offset } = shown;
  show(service === undefined ? { after: after.slice(0, -1) } : { offset: Math.max(0, offset - perList) });
};
$('#back').onclick = () => {
  drawn = new Set();
  show({ service: undefined, offset: 0 });
};
$('#find').addEventListener('input', ({ target }) => {
  drawn = new Set();
  show({ search: target.value.trim(), after: [''], offset: 0 });
});
$('#find').addEventListener('submit', (event) => event.preventDefault());

async function readCounts() {
  const { body } = await json('/health');
  const since = new Date(Date.now() - body.uptime * 1000).toLocaleString();
  $('#counts').textContent = `${body.services} services, ${body.instances} instances, up since ${since}`;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for what is shown; with the tag of what is drawn the registry answers when that has changed. */
async function ask(url, tag) {
  asking = new AbortController();
  const timeout = AbortSignal.timeout((waitSeconds + 10) * 1000);
  const response = await fetch(url, {
    cache: 'no-store',
    headers: tag === undefined ? {} : { 'if-none-match': tag },
    signal: AbortSignal.any([asking.signal, timeout]),
  });
  const { status, headers } = response;
  if (status === 304) return { status, tag };
  const body = await response.json();
  if (!response.ok && body.code !== 'ERR_SERVICE_UNKNOWN') throw new Error(`${status} ${body.detail ?? ''}`);
  return { status, body, tag: headers.get('etag') ?? undefined };
}

async function follow() {
  for (let url, tag; ;) {
    const wanted = address();
    try {
      const answer = await ask(wanted, wanted === url ? tag : undefined);
      [url, tag] = [wanted, answer.tag];
      $('#live').replaceChildren(state('live', 'good'));
      if (answer.status === 304) continue;
      // Something else may have been asked for while this was on its way.
      if (wanted === address()) draw(read(answer));
      await readCounts();
      await sleep(pauseMs);
    } catch (error) {
      if (wanted !== address()) continue;
      tag = undefined;
      $('#live').replaceChildren(state('connection lost, trying again', 'bad'));
      announce(error.message);
      await sleep(retryMs);
    }
  }
}

void follow();

$('#register').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { name, host, port, heartbeatInterval } = Object.fromEntries(new FormData(event.target));
  const body = {
    name,
    port: Number(port),
    heartbeatInterval: Number(heartbeatInterval),
    ...(host && { host }),
  };
  try {
    const { body: made } = await json('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    announce(`${made.id} is registered.`);
  } catch (error) {
    announce(error.message);
  }
});
