/**
 * One contender of the contest in a process of its own: what one does to the compiler's types must not slow another down. It sends so many
 * requests when it is told to, and answers with the CPU time of one, user and system.
 */
import { Agent, type Dispatcher } from 'undici';
import { startTrace } from '@mesh/trace-context';
import { callContext, createCallContext, createServiceClient } from '../src/index.ts';

/** What a contender is. */
export type Kind =
  'undici' | 'undici, our headers' | 'client, 3' | 'client, 100' | 'client, 1000' | 'client, new trace';

const inFlight = 64;
const [kind = 'undici', portList = ''] = process.argv.slice(2);
const ports = portList.split(',').map(Number);

const headers = [
  ...['host', 'mesh.test', 'user-agent', 'bench', 'accept', 'application/json'],
  ...['x-forwarded-for', '127.0.0.1'],
];
const ownHeaders = [
  ...['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ...['x-request-id', '4bf92f3577b34da6a3ce929d0e0e4736', 'x-trace-id', '4bf92f3577b34da6a3ce929d0e0e4736'],
  ...[
    'x-span-id',
    '00f067aa0ba902b7',
    'x-parent-span-id',
    '00f067aa0ba902b8',
    'x-request-timeout-ms',
    '29999',
  ],
];

type Done = (error?: Error) => void;

/** A caller that wants nothing but the end. */
class Reader implements Dispatcher.DispatchHandler {
  readonly #done: Done;

  constructor(done: Done) {
    this.#done = done;
  }
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}
  onResponseEnd(): void {
    this.#done();
  }
  onResponseError(_: unknown, error: Error): void {
    this.#done(error);
  }
}

/** The bare transport: an agent, three origins in turn. */
function undici(sent: readonly string[]): (done: Done) => void {
  const agent = new Agent({ connections: 256 });
  let turn = 0;
  return (done) => {
    const origin = `http://127.0.0.1:${ports[turn++ % ports.length] ?? 0}`;
    const options = { origin, path: '/users', method: 'GET', headers: [...sent], bodyTimeout: 30_000 };
    agent.dispatch(options, new Reader(done));
  };
}

/** Everything on: discovery, adaptive pick, circuits, retry and its budget, deadline, limits, trace, figures. */
function client(
  count: number,
  trace = (): { trace?: ReturnType<typeof startTrace> } => ({}),
): (done: Done) => void {
  const instances = Array.from({ length: count }, (_, i) => ({
    ...{ id: `user-${i}`, host: '127.0.0.1', port: ports[i % ports.length] ?? 0 },
  }));
  const resolution = { instances };
  const { dispatcher } = createServiceClient({
    discovery: { peek: () => resolution, resolve: () => Promise.resolve(resolution) },
  });
  return (done) => {
    const options = {
      ...{ origin: 'http://user-service', path: '/users', method: 'GET', headers, bodyTimeout: 30_000 },
      [callContext]: createCallContext({ timeoutMs: 30_000, ...trace() }),
    };
    dispatcher.dispatch(options, new Reader(done));
  };
}

/** As in a gateway, which has read the trace of the request that it passes on. */
const given = startTrace();
const known = (): { trace: ReturnType<typeof startTrace> } => ({ trace: given });

const kinds: Record<Kind, () => (done: Done) => void> = {
  undici: () => undici(headers),
  'undici, our headers': () => undici([...headers, ...ownHeaders]),
  'client, 3': () => client(3, known),
  'client, 100': () => client(100, known),
  'client, 1000': () => client(1000, known),
  'client, new trace': () => client(3),
};
const send = kinds[kind as Kind]();

async function cpuMicroseconds(count: number): Promise<number> {
  const start = process.cpuUsage();
  let left = count;
  await new Promise<void>((resolve, reject) => {
    let open = 0;
    const next: Done = (error) => {
      open -= 1;
      if (error !== undefined) reject(error);
      else if (left > 0) begin();
      else if (open === 0) resolve();
    };
    const begin = (): void => {
      left -= 1;
      open += 1;
      send(next);
    };
    for (let i = 0; i < inFlight; i++) begin();
  });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

process.on('message', (count: number) => {
  // First connections are opened again that were idle for too long while others had their round.
  void cpuMicroseconds(count / 2)
    .then(() => cpuMicroseconds(count))
    .then((micros) => process.send?.(micros));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
