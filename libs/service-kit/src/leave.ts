import type { FastifyBaseLogger } from 'fastify';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConfig } from './config.ts';
import type { Connections } from './connections.ts';
import type { Health } from './health.ts';
import type { Membership } from './membership.ts';
import type { OpenStreams } from './open-streams.ts';
import { stopListening } from './stop-listening.ts';

/** What a service must have so that it can be run and can leave; an instance of Fastify made by `createApp` fits. */
export interface ServiceApp {
  readonly server: Server;
  readonly log: FastifyBaseLogger;
  readonly health: Health;
  /** Streams that are to be ended when it leaves. Default: none. */
  readonly streams?: OpenStreams;
  listen(options: { port: number; host: string }): Promise<string>;
  close(): PromiseLike<unknown>;
}

/** Who is leaving. */
export interface Leaver {
  readonly app: ServiceApp;
  readonly connections: Connections;
  readonly membership: Membership;
  readonly config: Pick<ServiceConfig, 'GRACE_PERIOD_MS' | 'LEAVE_DELAY_MS' | 'STREAM_CLOSE_MS'>;
}

/** How often idle connections are looked for. */
const sweepMs = 50;

/**
 * Leaves without losing a request: say so in `/health`, leave the registry, give callers time to learn it (answers now
 * carry `Connection: close`), stop accepting, end streams one by one, let requests in flight end, close. What has not ended
 * after the grace period is cut off.
 *
 * @returns true when nothing had to be cut off and every close hook succeeded.
 */
export async function leave({ app, connections, membership, config }: Leaver): Promise<boolean> {
  app.health.leave();
  connections.sayGoodbye();
  const sweep = setInterval(() => {
    connections.sweep();
  }, sweepMs);
  const wasKnown = membership.known;
  await Promise.race([membership.withdraw(), sleep(config.GRACE_PERIOD_MS, undefined, { ref: false })]);
  // Who keeps a connection open learns it, too, by the answers of this time: at the close nobody is about to use one.
  if (wasKnown || connections.size > 0) await sleep(config.LEAVE_DELAY_MS);
  // The last requests may still need others, so the way to the registry closes last.
  const clean = await drain(app, connections, config);
  clearInterval(sweep);
  await membership.close();
  return clean;
}

async function drain(
  app: ServiceApp,
  connections: Connections,
  { GRACE_PERIOD_MS: graceMs, STREAM_CLOSE_MS: streamCloseMs }: Leaver['config'],
): Promise<boolean> {
  let clean = true;
  const deadline = setTimeout(() => {
    clean = false;
    app.log.warn({ graceMs }, 'the grace period is over: cutting off what is still open');
    connections.destroy();
  }, graceMs);
  try {
    await stopListening(app.server);
    await Promise.all([app.close(), app.streams?.closeAll(Math.min(streamCloseMs, graceMs), sleep)]);
  } catch (error) {
    clean = false;
    app.log.error({ err: error }, 'closing failed');
  } finally {
    clearTimeout(deadline);
  }
  return clean;
}
