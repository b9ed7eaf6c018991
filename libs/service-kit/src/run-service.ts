import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConfig } from './config.ts';
import type { DiscoveryClient } from '@mesh/discovery-client';
import { Connections } from './connections.ts';
import { freePort } from './free-port.ts';
import { identityOf } from './identity.ts';
import type { Identity } from './identity.ts';
import { leave } from './leave.ts';
import type { ServiceApp } from './leave.ts';
import { Membership } from './membership.ts';
import { describeStartupFault } from './startup-fault.ts';
import { onStopRequest } from './stop-requests.ts';

/** What the application is given to be built with. */
export interface ServiceContext {
  readonly identity: Identity;
  /** Finds other services: the `discovery` of a service client. It outlives the last request; never close it. */
  readonly discovery: DiscoveryClient;
}

/** What {@link runService} takes. */
export interface RunOptions<C extends ServiceConfig> {
  /** Name of the service in the registry, for example `user-service`. */
  readonly service: string;
  /** The configuration, or what reads it: then its faults are reported like every other fault of the start. */
  readonly config: C | (() => C);
  /** Makes the application; see `createApp`. What it opens, it closes in an `onClose` hook. */
  readonly build: (config: C, context: ServiceContext) => ServiceApp | Promise<ServiceApp>;
  /** Whether to register with the registry at `DISCOVERY_URL`. Default true. */
  readonly register?: boolean;
}

/** A service that listens. */
export interface RunningService {
  readonly identity: Identity;
  readonly port: number;
  /** Leaves as on SIGTERM. Resolves when it is gone; true when no request was cut off. */
  leave(reason?: string): Promise<boolean>;
}

/** How long what a failed start has opened may take to close. */
const failedStartMs = 2000;

/**
 * Runs a service until it is told to stop: builds and listens, registers (a registry that is away does not hold it up),
 * and on SIGTERM, SIGINT or the death of the parent process leaves without losing a request. A second signal ends it at once.
 *
 * It is the one place of the libraries that owns the process: it prints the fault of a failed start on standard error (one
 * line) and sets the exit code. Call it from `main.ts` and nowhere else.
 *
 * @returns undefined when the start failed; the exit code is then 1.
 * @example await runService({ service: 'user-service', config: () => readConfig(schema, process.env), build: buildApp })
 */
export async function runService<C extends ServiceConfig>(
  options: RunOptions<C>,
): Promise<RunningService | undefined> {
  try {
    return await start(options);
  } catch (error) {
    process.stderr.write(`${describeStartupFault(options.service, error)}\n`);
    process.exitCode = 1;
    endIfStuck(failedStartMs);
    return undefined;
  }
}

async function start<C extends ServiceConfig>({
  service,
  build,
  ...options
}: RunOptions<C>): Promise<RunningService> {
  const given = typeof options.config === 'function' ? options.config() : options.config;
  const port = given.PORT === 0 ? await freePort(given.HOST) : given.PORT;
  // The application reads its port from here, and should not tell others that it is 0.
  const config = Object.freeze({ ...given, PORT: port });
  const identity = identityOf(service, port);
  const membership = new Membership(config);
  const { app, connections } = await listening(membership, { port, host: config.HOST }, () =>
    build(config, { identity, discovery: membership.discovery }),
  );
  if (options.register !== false) membership.announce(identity, port, app.log);

  let leaving: Promise<boolean> | undefined;
  const running: RunningService = {
    identity,
    port,
    leave: (reason = 'asked to') =>
      (leaving ??= (async () => {
        app.log.info({ reason }, 'leaving');
        const clean = await leave({ app, connections, membership, config });
        app.log.info({ clean }, 'left');
        return clean;
      })()),
  };
  ownProcess(running, app, config.GRACE_PERIOD_MS);
  // The callback takes the error of a parent that is gone by now; `disconnect` tells of it.
  if (process.connected) process.send?.({ type: 'listening', port }, undefined, undefined, () => undefined);
  return running;
}

/** A program that cannot be built or cannot listen must close what it opened, or it would hang instead of ending. */
async function listening(
  membership: Membership,
  where: { port: number; host: string },
  build: () => ServiceApp | Promise<ServiceApp>,
): Promise<{ app: ServiceApp; connections: Connections }> {
  let app: ServiceApp | undefined;
  try {
    app = await build();
    const connections = new Connections(app.server);
    await app.listen(where);
    return { app, connections };
  } catch (error) {
    const closed = Promise.allSettled([app?.close(), membership.close()]);
    await Promise.race([closed, sleep(failedStartMs, undefined, { ref: false })]);
    throw error;
  }
}

function ownProcess(running: RunningService, app: ServiceApp, graceMs: number): void {
  const release = onStopRequest(process, {
    onStop: (reason) => {
      void running.leave(reason).then((clean) => {
        release();
        process.exitCode = clean ? 0 : 1;
        endIfStuck(graceMs, () => {
          app.log.warn('something still holds the process: ending it');
        });
      });
    },
    onSecondSignal: (signal) => {
      app.log.warn({ signal }, 'asked again: ending now');
      release();
      // Without a listener the signal does what it always does, and the parent sees that it did.
      process.kill(process.pid, signal);
    },
  });
}

/** Everything is closed, so the process ends by itself, unless something of the application still holds it. */
function endIfStuck(afterMs: number, tell?: () => void): void {
  setTimeout(() => {
    tell?.();
    // eslint-disable-next-line no-restricted-properties -- the service is gone; a forgotten timer must not keep a dead process
    process.exit();
  }, afterMs).unref();
}
