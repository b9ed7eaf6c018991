import { announce, el, json, state, table } from '/dashboard/dashboard.js';

const $ = (selector) => document.querySelector(selector);

/** Where an answer came from: the live service, the last good answer, or an empty stand-in. */
function origin({ meta, ms }) {
  const kind = meta.degraded ? 'warn' : 'good';
  const age = meta.ageMs === undefined ? '' : `, ${Math.round(meta.ageMs / 1000)} s old`;
  const why = meta.reason ? `, ${meta.reason}` : '';
  const verb = meta.ageMs === undefined ? 'from' : 'given by';
  const who = meta.upstream?.length ? ` ${verb} ${[meta.upstream].flat().join(', ')}` : '';
  return el('p', { className: 'note' }, state(`${meta.source}${age}${why}`, kind), `${who} in ${ms} ms`);
}

const userRow = ({ id, name, email, age }) => [`${id}`, name ?? '-', email ?? '-', `${age ?? '-'}`];

const sections = {
  users: {
    path: () => '/users',
    view: ({ users, meta }, ms) => [
      origin({ meta, ms }),
      table('Table of users', ['Id', 'Name', 'Email', 'Age'], users.map(userRow)),
    ],
  },
  orders: {
    path: () => `/orders/user/${encodeURIComponent($('#user-id').value)}`,
    view: ({ orders, meta }, ms) => [
      origin({ meta, ms }),
      table(
        'Table of orders',
        ['Id', 'Products', 'Status'],
        orders.map((order) => [`${order.id}`, order.products.join(', '), order.status]),
      ),
    ],
  },
  combined: {
    path: () => '/users-with-orders',
    view: ({ users, meta }, ms) => [
      origin({ meta, ms }),
      table(
        'Table of users with orders',
        ['Id', 'Name', 'Orders'],
        users.map((user) => [
          `${user.id}`,
          user.name,
          user.orders.map((order) => `#${order.id} ${order.products.join(', ')}`).join('; ') || '-',
        ]),
      ),
      el('p', { className: 'note' }, `${meta.totalUsers} users, ${meta.totalOrders} orders`),
    ],
  },
  health: { path: () => '/health', view: healthView },
};

const circuitKind = { CLOSED: 'good', HALF_OPEN: 'warn', OPEN: 'bad' };

function healthView(health, ms) {
  const { serviceDiscovery, cache, circuitBreakers } = health;
  $('#discovery').href = serviceDiscovery.server;
  return [
    el(
      'p',
      { className: 'note' },
      state(health.status, health.status === 'healthy' ? 'good' : 'warn'),
      ` ${health.instance} in ${ms} ms`,
    ),
    el(
      'p',
      { className: 'note' },
      'Service discovery: ',
      state(serviceDiscovery.status, serviceDiscovery.status === 'connected' ? 'good' : 'bad'),
      ` ${serviceDiscovery.server}`,
    ),
    table(
      'Circuit breakers',
      ['Upstream', 'Circuit', 'Failures'],
      byName(circuitBreakers).map(([name, circuit]) => [
        name,
        state(circuit.status, circuitKind[circuit.status]),
        `${circuit.failureCount}`,
      ]),
    ),
    table(
      'Cache',
      ['Service', 'Instances', 'Time to live'],
      byName(cache).map(([name, entry]) => [name, `${entry.services}`, `${entry.ttl} s`]),
    ),
  ];
}

const byName = (entries) => Object.entries(entries).sort(([a], [b]) => a.localeCompare(b));

const running = new Map();

/** One request a section at a time: a second click waits for nothing and starts nothing. */
function refresh(name) {
  const pending = running.get(name) ?? load(name).finally(() => running.delete(name));
  running.set(name, pending);
  return pending;
}

async function load(name) {
  if (name === 'orders' && !$('#user-id').reportValidity()) return;
  const { path, view } = sections[name];
  const result = $(`#${name} .result`);
  const asked = path();
  try {
    const { body, ms } = await json(asked);
    result.replaceChildren(...view(body, ms));
  } catch (error) {
    result.replaceChildren(el('p', { className: 'bad' }, `${asked}: ${error.message}`));
  }
  // Another user was chosen while this one was on its way.
  if (path() !== asked) await load(name);
}

async function refreshAll() {
  // Health comes last: it tells what the others have found.
  const { health: _last, ...data } = sections;
  await Promise.all(Object.keys(data).map(refresh));
  await refresh('health');
  announce(`Refreshed at ${new Date().toLocaleTimeString()}`);
}

let timer;

function schedule() {
  clearInterval(timer);
  if ($('#auto').checked)
    timer = setInterval(() => document.hidden || refreshAll(), Number($('#rate').value) * 1000);
}

for (const name of Object.keys(sections)) $(`#${name} button`).addEventListener('click', () => refresh(name));
$('#user-id').addEventListener('change', () => refresh('orders'));
$('#refresh-all').addEventListener('click', refreshAll);
$('#auto').addEventListener('change', schedule);
$('#rate').addEventListener('input', () => {
  $('#rate-text').value = $('#rate').value;
  schedule();
});

await refreshAll();
setTimeout(() => {
  $('#auto').checked = true;
  schedule();
}, 5000);
