import { fastify } from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConfig } from './config.ts';
import type { Identity } from './identity.ts';
import { Membership } from './membership.ts';
import { Workers } from './workers.ts';

/** What a primary is started with. */
export interface PrimaryOptions {
  readonly identity: Identity;
  readonly port: number;
  readonly config: ServiceConfig;
  readonly count: number;
  readonly register: boolean;
}

/** A primary whose workers listen. */
export interface Primary {
  readonly log: Workers['log'];
  /** Replaces all workers, one after the other. */
  restart(): Promise<void>;
  /** Leaves the registry, then has the workers leave. @returns true when no request was cut off. */
  leave(): Promise<boolean>;
}

/** How much longer than its own grace period a worker may take to leave, in ms. */
const patienceMs = 2000;

/**
 * The process that stands for all workers: it is the one instance that the registry knows, and serves nothing itself.
 *
 * @throws Error when a worker does not come up; the others are gone then.
 */
export async function startPrimary({
  identity,
  port,
  config,
  count,
  register,
}: PrimaryOptions): Promise<Primary> {
  const { log } = fastify({ logger: { level: config.LOG_LEVEL, base: { ...identity } } });
  const membership = new Membership(config);
  const { GRACE_PERIOD_MS: graceMs, LEAVE_DELAY_MS: delayMs } = config;
  const workers = new Workers({ count, port, log, patienceMs: graceMs + delayMs + patienceMs });
  try {
    await workers.start();
  } catch (error) {
    await Promise.all([workers.stop(), membership.close()]);
    throw error;
  }
  if (register) membership.announce(identity, port, log);
  return {
    log,
    restart: () => workers.restart(),
    async leave() {
      const wasKnown = membership.known;
      // The order of one process: out of the registry first; each worker then gives its callers the time to learn of it.
      await Promise.race([membership.withdraw(), sleep(graceMs, undefined, { ref: false })]);
      // A worker knows its callers by their connections only: one that has none would close at once.
      if (wasKnown) await sleep(delayMs);
      const clean = await workers.stop();
      await membership.close();
      return clean;
    },
  };
}
