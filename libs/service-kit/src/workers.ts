import type { FastifyBaseLogger } from 'fastify';
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeLostConnections } from './handovers.ts';
import { isWorkerMessage, type WorkerMessage } from './siblings.ts';

/** What {@link Workers} are started with. */
export interface WorkersOptions {
  /** How many. */
  readonly count: number;
  /** Port that they share. */
  readonly port: number;
  /** How long one that leaves may take before it is killed, in ms. */
  readonly patienceMs: number;
  readonly log: FastifyBaseLogger;
}

/** Delay before a worker is started again: doubled with each that dies young, in ms. */
const backoffMs = { first: 100, longest: 10_000 };

/** One that has lived so long, in ms, did not die of its start. */
const youthMs = 10_000;

/**
 * Processes that serve one port, each of them the whole program. The primary accepts connections and hands them out in turn, so a worker
 * that dies takes its own connections with it and no other; it is replaced. Only in the primary of a `node:cluster`.
 *
 *   starting ──listening──▶ serving ──told to leave──▶ leaving ──▶ gone
 *      └───────exit──────────┴──▶ (back-off) ──▶ starting
 */
export class Workers {
  readonly log: FastifyBaseLogger;
  readonly #options: WorkersOptions;
  readonly #serving = new Set<Worker>();
  readonly #leaving = new Set<Worker>();
  readonly #all = new Set<Worker>();
  readonly #ending = new AbortController();
  #diedYoung = 0;
  #rolling: Promise<void> = Promise.resolve();
  #clean = true;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.log = options.log;
    cluster.on('message', this.#onMessage);
  }

  /** Starts all of them, the first before the others: what is wrong with all is told by one. @throws Error when one does not come up. */
  async start(): Promise<void> {
    await this.#startOne();
    await Promise.all(Array.from({ length: this.#options.count - 1 }, () => this.#startOne()));
  }

  /** Replaces one after the other: a new one serves before an old one leaves. Stops at the first that does not come up. */
  restart(): Promise<void> {
    this.#rolling = this.#rolling.then(() => this.#roll());
    return this.#rolling;
  }

  /** Tells all to leave. @returns true when all have left well. */
  async stop(): Promise<boolean> {
    this.#ending.abort();
    await Promise.all([...this.#all].map((worker) => this.#retire(worker)));
    cluster.off('message', this.#onMessage);
    return this.#clean;
  }

  async #roll(): Promise<void> {
    try {
      for (const worker of [...this.#serving]) {
        if (this.#ending.signal.aborted) return;
        await this.#startOne();
        await this.#retire(worker);
      }
      this.log.info('all workers were replaced');
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.log.error({ err: error }, 'a new worker did not come up: the others stay');
    }
  }

  async #startOne(): Promise<void> {
    const worker = cluster.fork();
    closeLostConnections(worker);
    this.#all.add(worker);
    const bornAt = performance.now();
    worker.once('exit', (code: number | null, signal: string | null) => {
      const wasServing = this.#serving.delete(worker);
      this.#all.delete(worker);
      if (this.#leaving.delete(worker)) this.#clean &&= code === 0;
      else if (wasServing) void this.#replace(worker, { code, signal }, performance.now() - bornAt);
    });
    say(worker, { mesh: 'port', port: this.#options.port });
    await isListening(worker);
    if (!worker.isDead()) this.#serving.add(worker);
  }

  async #replace(
    dead: Worker,
    exit: { code: number | null; signal: string | null },
    ageMs: number,
  ): Promise<void> {
    this.#diedYoung = ageMs < youthMs ? this.#diedYoung + 1 : 0;
    for (let tries = this.#diedYoung; !this.#ending.signal.aborted; tries++) {
      const delayMs = tries === 0 ? 0 : Math.min(backoffMs.longest, backoffMs.first * 2 ** (tries - 1));
      this.log.warn({ worker: dead.process.pid, ...exit, delayMs }, 'a worker has died: starting another');
      try {
        await sleep(delayMs, undefined, { signal: this.#ending.signal });
        await this.#startOne();
        return;
      } catch {
        // It has said itself what is wrong. Or all of them are leaving; then the loop ends.
      }
    }
  }

  async #retire(worker: Worker): Promise<void> {
    if (worker.isDead()) return;
    if (!this.#serving.delete(worker)) {
      // It has nothing to lose, and does not listen to us yet.
      worker.process.kill('SIGKILL');
      return;
    }
    this.#leaving.add(worker);
    const exited = once(worker, 'exit');
    say(worker, { mesh: 'leave' });
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), this.#options.patienceMs);
    await exited;
    clearTimeout(timer);
  }

  /** Carries questions to all, and answers back. */
  readonly #onMessage = (from: Worker, message: unknown): void => {
    if (!isWorkerMessage(message)) return;
    if (message.mesh === 'answer') {
      const asker = cluster.workers?.[message.to];
      if (asker !== undefined) say(asker, message);
    } else if (message.mesh === 'ask') {
      say(from, { mesh: 'asked', id: message.id, count: this.#serving.size });
      for (const worker of this.#serving) say(worker, { ...message, from: from.id });
    }
  };
}

async function isListening(worker: Worker): Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    await Promise.race([
      // Node's own event, and ours: the first says that it accepts, the second that it is ready.
      once(worker, 'listening', { signal }),
      once(worker, 'exit', { signal }).then(() => {
        throw Object.assign(new Error('a worker did not come up'), { code: 'ERR_WORKER' });
      }),
    ]);
  } finally {
    ended.abort();
  }
}

/** A worker that is gone hears nothing, which is no fault. */
function say(worker: Worker, message: WorkerMessage): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
