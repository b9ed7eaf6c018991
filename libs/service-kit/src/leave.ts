import type { FastifyBaseLogger } from 'fastify';
import type { Server } from 'node:http';
import { Server as Listener } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConfig } from './config.ts';
import type { Health } from './health.ts';
import type { Membership } from './membership.ts';

/** What a service must have so that it can be run and can leave; an instance of Fastify made by `createApp` fits. */
export interface ServiceApp {
  readonly server: Server;
  readonly log: FastifyBaseLogger;
  readonly health: Health;
  listen(options: { port: number; host: string }): Promise<string>;
  close(): PromiseLike<unknown>;
}

/** Who is leaving. */
export interface Leaver {
  readonly app: ServiceApp;
  readonly membership: Membership;
  readonly config: Pick<ServiceConfig, 'GRACE_PERIOD_MS' | 'LEAVE_DELAY_MS'>;
}

/** How often connections that fell idle during the drain are looked for. */
const idleSweepMs = 50;

/**
 * Leaves without losing a request: say so in `/health`, leave the registry, give callers time to learn it (answers now
 * carry `Connection: close`), stop accepting, let requests in flight end, close. What has not ended after the grace
 * period is cut off.
 *
 * @returns true when nothing had to be cut off and every close hook succeeded.
 */
export async function leave({ app, membership, config }: Leaver): Promise<boolean> {
  app.health.leave();
  const wasKnown = membership.known;
  await Promise.race([membership.withdraw(), sleep(config.GRACE_PERIOD_MS, undefined, { ref: false })]);
  // Who keeps a connection open learns it, too, by the answers of this time: at the close nobody is about to use one.
  if (wasKnown || (await hasConnections(app.server))) await sleep(config.LEAVE_DELAY_MS);
  // The last requests may still need others, so the way to the registry closes last.
  const clean = await drain(app, config.GRACE_PERIOD_MS);
  await membership.close();
  return clean;
}

function hasConnections(server: Server): Promise<boolean> {
  return new Promise((resolve) => {
    server.getConnections((error, count) => {
      resolve(error === null && count > 0);
    });
  });
}

async function drain(app: ServiceApp, graceMs: number): Promise<boolean> {
  let clean = true;
  const deadline = setTimeout(() => {
    clean = false;
    app.log.warn({ graceMs }, 'the grace period is over: cutting off what is still open');
    app.server.closeAllConnections();
  }, graceMs);
  await stopAccepting(app.server);
  // Node closes idle connections once, when the server closes; those whose last answer ends later would stay.
  const sweep = setInterval(() => {
    setImmediate(() => {
      app.server.closeIdleConnections();
    });
  }, idleSweepMs);
  try {
    await app.close();
  } catch (error) {
    clean = false;
    app.log.error({ err: error }, 'closing failed');
  } finally {
    clearTimeout(deadline);
    clearInterval(sweep);
  }
  return clean;
}

/** How long a door stays open for those who already wait in front of it. */
const queueMs = 1_000;

/**
 * Closes the door behind those who have come. Closing resets connections that wait in the kernel to be accepted (Node accepts one in a
 * turn of its loop, so a busy process has a queue of them), and Node takes a connection whose request it has not read yet for idle. So
 * the queue is let in before, and the loop turns once more after, so that what was let in is read.
 */
async function stopAccepting(server: Server): Promise<void> {
  const latest = performance.now() + queueMs;
  let accepted = true;
  const note = (): void => {
    accepted = true;
  };
  server.on('connection', note);
  while (accepted && performance.now() < latest) {
    accepted = false;
    await turn();
  }
  server.off('connection', note);
  // The close of `node:http` would end idle connections in the same breath.
  Listener.prototype.close.call(server);
  await turn();
  await turn();
}
