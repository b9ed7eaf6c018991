/**
 * Load without `wrk`: raw sockets, so that the generator costs little beside what it measures. Takes a `Load` as JSON, prints a `Loaded`.
 * It understands answers with a Content-Length and chunked ones.
 */
import { connect, type Socket } from 'node:net';
import { requestHeaders, type Load, type Loaded } from './load.ts';

const { url, connections, seconds, body } = JSON.parse(process.argv[2] ?? '{}') as Load;
const { host, hostname, port, pathname } = new URL(url);
const lines = Object.entries({ host, ...requestHeaders }).map(([name, value]) => `${name}: ${value}\r\n`);
const request =
  body === undefined
    ? `GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`
    : `POST ${pathname} HTTP/1.1\r\n${lines.join('')}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

const latencies: number[] = [];
let bytes = 0;
let failed = 0;
let running = true;

/** Where the answer ends, or 0 while that is not known. */
function endOf(head: string, length: number): number {
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head);
  return declared ? length + Number(declared[1]) : 0;
}

function drive(socket: Socket): void {
  let started = 0;
  let received = 0;
  let end = 0;
  let text = '';
  const ask = (): void => {
    [started, received, end, text] = [performance.now(), 0, 0, ''];
    socket.write(request);
  };
  socket.on('connect', ask);
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    received += chunk.length;
    if (end === 0) {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head > 0) end = endOf(text.slice(0, head), head + 4) || (text.endsWith('0\r\n\r\n') ? received : 0);
    }
    if (end === 0 || received < end) return;
    latencies.push(performance.now() - started);
    if (text.slice(9, 10) !== '2') failed++;
    if (running) ask();
    else socket.destroy();
  });
  socket.on('error', () => failed++);
  socket.on('close', () => {
    if (running) drive(connect(Number(port), hostname));
  });
}

for (let count = 0; count < connections; count++) drive(connect(Number(port), hostname));
setTimeout(() => {
  running = false;
  latencies.sort((a, b) => a - b);
  const at = (ratio: number): number => latencies[Math.floor(latencies.length * ratio)] ?? NaN;
  const loaded: Loaded = { requests: latencies.length, bytes, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
  process.stdout.write(JSON.stringify(loaded), () => process.exit());
}, seconds * 1_000);
