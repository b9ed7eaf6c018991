/** Clients for a soak: each does one thing after the other, of every kind there is; every second one goes away in the middle. */
import { setTimeout as pause } from 'node:timers/promises';
import { SoakClient } from './soak-client.ts';

interface Kind {
  readonly what: string;
  /** How it must end for a client that waits; another end is a fault. */
  readonly ends: RegExp;
  /** Its share of all that is done. */
  readonly share: number;
  readonly run: (client: SoakClient, patienceMs?: number) => Promise<string>;
}

/** So many different things that a gateway must not remember all of them. */
const any = (): string => Math.floor(Math.random() * 1e9).toString(36);
const upload = Buffer.alloc(1_000_000, 'x');

const asked = (
  what: string,
  ends: RegExp,
  share: number,
  path: string | (() => string),
  more: { body?: string | Buffer; enoughBytes?: number } = {},
): Kind => ({
  ...{ what, ends, share },
  run: (client, patienceMs) =>
    client.ask({ path: typeof path === 'string' ? path : path(), ...more }, patienceMs),
});

const kinds: readonly Kind[] = [
  asked('GET', /^200$/, 8, () => `/api/item-service/items?${any()}`),
  asked('POST of 20 KB', /^200$/, 3, '/api/item-service/items', { body: 'x'.repeat(20_000) }),
  asked('POST of 1 MB', /^200$/, 1, '/api/item-service/items', { body: upload }),
  asked('answer of 1 MB', /^200$/, 2, '/api/item-service/large'),
  asked('answer that takes 100 ms', /^200$/, 2, '/api/item-service/slow'),
  asked('events, left by the client', /^gone$/, 2, '/api/item-service/events', { enoughBytes: 100 }),
  asked('cache, filled and hit', /^200$/, 3, () => `/cached?${Math.floor(Math.random() * 2_000)}`),
  asked('cache, one key each', /^200$/, 2, () => `/cached?${any()}`),
  asked('instance that is often away', /^200$/, 3, '/api/flaky-service/items'),
  asked('503, retried', /^503$/, 1, '/api/bad-service/503'),
  asked('answer that breaks off', /^cut$/, 1, '/api/bad-service/cut'),
  asked('no answer in time, retried', /^504$/, 1, '/never'),
  asked('unknown service', /^404$/, 2, () => `/api/no-${any()}/items`),
  asked('no route', /^404$/, 1, () => `/none/${any()}`),
  {
    ...{ what: 'WebSocket', ends: /^echo$/, share: 2 },
    run: (client) => client.tunnel('/api/item-service/socket', Math.random() < 0.5),
  },
];
const lots = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind));

export class SoakLoad {
  readonly #client: SoakClient;
  readonly #clients: number;
  #running: Promise<unknown> | undefined;
  #stopped = false;
  /** How often each kind ended how. */
  readonly #ends = new Map(kinds.map((kind) => [kind, new Map<string, number>()]));

  constructor(base: string, clients: number) {
    this.#client = new SoakClient(base);
    this.#clients = clients;
  }

  start(): void {
    this.#stopped = false;
    this.#running = Promise.all(Array.from({ length: this.#clients }, (_, at) => this.#drive(at % 2 === 0)));
  }

  /** Resolves when the last thing is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  close(): void {
    this.#client.close();
  }

  /** What was done, how often it ended as it must, and how often otherwise (`gone` clients and `shed` requests are neither). */
  get report(): readonly {
    readonly what: string;
    readonly good: number;
    readonly bad: string;
    readonly left: number;
  }[] {
    return [...this.#ends].map(([{ what, ends }, counts]) => {
      const all = [...counts];
      const sum = (some: typeof all): number => some.reduce((total, [, count]) => total + count, 0);
      const good = all.filter(([end]) => ends.test(end));
      const left = all.filter(([end]) => !ends.test(end) && /^(gone|shed)$/.test(end));
      const bad = all.filter((one) => !good.includes(one) && !left.includes(one));
      return {
        what,
        good: sum(good),
        left: sum(left),
        bad: bad.map(([end, count]) => `${end}: ${count}`).join(', '),
      };
    });
  }

  async #drive(isPatient: boolean): Promise<void> {
    while (!this.#stopped) {
      const kind = lots[Math.floor(Math.random() * lots.length)];
      if (kind === undefined) return;
      const end = await kind.run(this.#client, isPatient ? undefined : Math.random() * 60);
      const counts = this.#ends.get(kind);
      counts?.set(end, (counts.get(end) ?? 0) + 1);
      if (Math.random() < 0.05) await pause(20);
    }
  }
}
