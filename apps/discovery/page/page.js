import { announce, el, json, state, table } from '/dashboard/dashboard.js';

const $ = (selector) => document.querySelector(selector);
const instances = new Map();
let upSince = '';
const serviceOf = ({ name, namespace }) => (namespace === undefined ? name : `${namespace}/${name}`);
const key = (instance) => `${serviceOf(instance)}/${instance.id}`;

function removeButton({ name, namespace = 'default', id, host, port }) {
  const remove = async () => {
    try {
      await json(
        `/services/${encodeURIComponent(name)}/${port}?${new URLSearchParams({ host, id, namespace })}`,
        {
          method: 'DELETE',
        },
      );
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

function draw() {
  const all = [...instances.values()].sort((a, b) => key(a).localeCompare(key(b)));
  const names = [...new Set(all.map(serviceOf))];
  $('#counts').textContent = `${names.length} services, ${all.length} instances${upSince}`;
  $('#services').replaceChildren(
    ...names.flatMap((name) => [
      el('h3', {}, name),
      table(
        `Instances of ${name}`,
        headings,
        all.filter((instance) => serviceOf(instance) === name).map(row),
      ),
    ]),
  );
  if (all.length === 0) $('#services').append(el('p', { className: 'note' }, 'Nobody has registered yet.'));
}

function watch() {
  const events = new EventSource('/watch?status=any&namespace=*');
  const on = (type, change) =>
    events.addEventListener(type, ({ data }) => (change(JSON.parse(data)), draw()));
  on('snapshot', (snapshot) => {
    instances.clear();
    for (const instance of snapshot.instances) instances.set(key(instance), instance);
  });
  on('upsert', ({ instance }) => instances.set(key(instance), instance));
  on('remove', (removed) => {
    instances.delete(key(removed));
    announce(`${removed.id} is gone: ${removed.reason}.`);
  });
  events.onopen = () => {
    $('#live').replaceChildren(state('live', 'good'));
    // Each time: it may be another run of the registry.
    readUptime().catch((error) => announce(error.message));
  };
  events.onerror = () => {
    $('#live').replaceChildren(state('connection lost, trying again', 'bad'));
    // After a refusal (no place for another watcher) the browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(watch, 5000);
  };
}

async function readUptime() {
  const { body } = await json('/health');
  upSince = `, up since ${new Date(Date.now() - body.uptime * 1000).toLocaleString()}`;
  draw();
}

watch();

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
