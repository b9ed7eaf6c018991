import type { FastifyBaseLogger } from 'fastify';
import cluster from 'node:cluster';
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
import { startPrimary } from './primary.ts';
import type { PrimaryOptions } from './primary.ts';
import { isWorkerMessage, Relatives } from './siblings.ts';
import type { Siblings } from './siblings.ts';
import { describeStartupFault } from './startup-fault.ts';
import { onStopRequest } from './stop-requests.ts';
import type { StopSource } from './stop-requests.ts';

/** What the application is given to be built with. */
export interface ServiceContext {
  readonly identity: Identity;
  /** Finds other services: the `discovery` of a service client. It outlives the last request; never close it. */
  readonly discovery: DiscoveryClient;
  /** The other processes that serve the same port; without `workers` there are none. */
  readonly siblings: Siblings;
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
  /**
   * How many processes serve the port; read from the configuration. Default 1: this one. With more, this process starts them as workers of
   * a `node:cluster`, each of which runs the same program, replaces those that die, is the one instance that registers, and on SIGHUP
   * replaces all of them one after the other (not when it has a terminal, whose end is a SIGHUP too).
   */
  readonly workers?: (config: C) => number;
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

async function start<C extends ServiceConfig>(options: RunOptions<C>): Promise<RunningService> {
  const given = typeof options.config === 'function' ? options.config() : options.config;
  const count = options.workers?.(given) ?? 1;
  const isWorker = count > 1 && cluster.isWorker;
  const port = isWorker ? await givenPort() : given.PORT === 0 ? await freePort(given.HOST) : given.PORT;
  // The application reads its port from here, and should not tell others that it is 0.
  const config = Object.freeze({ ...given, PORT: port });
  const identity = identityOf(options.service, port);
  const register = options.register !== false && !isWorker;
  const running =
    count > 1 && cluster.isPrimary
      ? await runPrimary({ identity, port, config, count, register })
      : await runAlone(options, { identity, port, config, register, isWorker });
  // The callback takes the error of a parent that is gone by now; `disconnect` tells of it.
  if (process.connected) process.send?.({ type: 'listening', port }, undefined, undefined, () => undefined);
  return running;
}

interface Place<C> {
  readonly identity: Identity;
  readonly port: number;
  readonly config: C;
  readonly register: boolean;
  readonly isWorker: boolean;
}

async function runAlone<C extends ServiceConfig>(
  { build }: RunOptions<C>,
  { identity, port, config, register, isWorker }: Place<C>,
): Promise<RunningService> {
  const membership = new Membership(config);
  const siblings = new Relatives(isWorker ? process : undefined);
  const { app, connections } = await listening(membership, { port, host: config.HOST }, () =>
    build(config, { identity, discovery: membership.discovery, siblings }),
  );
  if (register) membership.announce(identity, port, app.log);
  const running = {
    identity,
    port,
    leave: leavingOnce(app.log, () => leave({ app, connections, membership, config })),
  };
  const stop = ownProcess(running, app.log, config.GRACE_PERIOD_MS, isWorker ? withoutInterrupt : process);
  if (isWorker) {
    process.on('message', (message) => {
      if (isWorkerMessage(message) && message.mesh === 'leave') stop('the primary');
    });
    process.channel?.unref();
  }
  return running;
}

async function runPrimary(options: PrimaryOptions): Promise<RunningService> {
  const { identity, port, config } = options;
  const primary = await startPrimary(options);
  const running = { identity, port, leave: leavingOnce(primary.log, () => primary.leave()) };
  ownProcess(running, primary.log, config.GRACE_PERIOD_MS, process);
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void primary.restart());
  return running;
}

function leavingOnce(log: FastifyBaseLogger, go: () => Promise<boolean>): RunningService['leave'] {
  let leaving: Promise<boolean> | undefined;
  return (reason = 'asked to') =>
    (leaving ??= (async () => {
      log.info({ reason }, 'leaving');
      const clean = await go();
      log.info({ clean }, 'left');
      return clean;
    })());
}

/** The port that all workers share; the primary tells it first of all. */
function givenPort(): Promise<number> {
  return new Promise((resolve) => {
    process.once('message', (message) => {
      if (isWorkerMessage(message) && message.mesh === 'port') resolve(message.port);
    });
  });
}

/** A terminal sends its interrupt to every process in front of it; a worker waits for the word of its primary. */
const withoutInterrupt: StopSource = {
  get connected() {
    return process.connected;
  },
  get channel() {
    return process.channel;
  },
  on: (event, listener) => {
    process.on(event, event === 'SIGINT' ? ignore : listener);
  },
  off: (event, listener) => {
    process.off(event, event === 'SIGINT' ? ignore : listener);
  },
};

function ignore(): void {
  // The primary has heard it.
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

/** @returns what asks the service to stop, as a signal does. */
function ownProcess(
  running: RunningService,
  log: FastifyBaseLogger,
  graceMs: number,
  source: StopSource,
): (reason: string) => void {
  const onStop = (reason: string): void => {
    void running.leave(reason).then((clean) => {
      release();
      process.exitCode = clean ? 0 : 1;
      endIfStuck(graceMs, () => {
        log.warn('something still holds the process: ending it');
      });
    });
  };
  const release = onStopRequest(source, {
    onStop,
    onSecondSignal: (signal) => {
      log.warn({ signal }, 'asked again: ending now');
      release();
      // Without a listener the signal does what it always does, and the parent sees that it did.
      process.kill(process.pid, signal);
    },
  });
  return onStop;
}

/** Everything is closed, so the process ends by itself, unless something of the application still holds it. */
function endIfStuck(afterMs: number, tell?: () => void): void {
  setTimeout(() => {
    tell?.();
    // eslint-disable-next-line no-restricted-properties -- the service is gone; a forgotten timer must not keep a dead process
    process.exit();
  }, afterMs).unref();
}
