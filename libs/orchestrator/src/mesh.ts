import { resolve as resolvePath } from 'node:path';
// Not a setting of ours: what a child inherits, as with child_process.spawn.
import { cwd as currentFolder, env as inheritedEnv } from 'node:process';
import type { BackOffOptions } from './back-off.ts';
import { resolveServices, type MeshConfig, type ResolvedService } from './definition.ts';
import type { HostedInstance, InstanceHost, Launch } from './instance-host.ts';
import { MeshConfigError } from './mesh-config-error.ts';
import { MeshEvents, type MeshEvent, type MeshEventOf } from './mesh-event.ts';
import { MeshStartError } from './mesh-start-error.ts';
import { PortPlan } from './port-plan.ts';
import { freePorts } from './ports.ts';
import { ProcessGroup } from './process-group.ts';
import { ProcessInstance } from './process-instance.ts';
import type { ProcessSnapshot } from './process-snapshot.ts';
import { waitForGate } from './readiness.ts';
import { withNeeds } from './start-order.ts';

/** How a mesh runs. */
export interface MeshOptions {
  /** All ports are free ones that the system chose, so that several meshes run beside each other. Default: false. */
  readonly isolated?: boolean;
  /** Keys of the services to run; what they depend on runs too. Default: all. */
  readonly only?: readonly string[];
  /** Folder that relative `cwd`s and commands are meant from. Default: that of this process. */
  readonly cwd?: string;
  /** Environment that the processes inherit. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How crashes are answered. Default: 0.25 s, twice that each time up to 10 s; 5 within 60 s are the end. */
  readonly backOff?: BackOffOptions;
  /** Hears every event, from the first on. */
  readonly onEvent?: (event: MeshEvent) => void;
}

/**
 * The running processes of a configuration. A started mesh keeps this process alive, as a listening server does,
 * until `stop()`; should this process end without it, the mesh is killed (and told so through its IPC channel
 * where even that is impossible).
 *
 * @example
 * const mesh = new Mesh(config, { onEvent: console.log });
 * await mesh.start();
 * await mesh.stop();
 */
export class Mesh {
  readonly #config: MeshConfig;
  readonly #options: MeshOptions;
  readonly #services: readonly ResolvedService[];
  readonly #instances: readonly ProcessInstance[];
  readonly #declaredPorts = new Map<ProcessInstance, number>();
  readonly #events = new MeshEvents();
  #ports = new PortPlan([], () => undefined);
  #snapshot: readonly ProcessSnapshot[] | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #accepting = false;

  /** @throws MeshConfigError when the configuration or `only` is at fault. */
  constructor(config: MeshConfig, options: MeshOptions = {}) {
    this.#config = config;
    this.#options = options;
    this.#services = selected(resolveServices(config), options.only);
    this.#events.onAny((event) => {
      if (event.type === 'state') this.#snapshot = undefined;
    });
    if (options.onEvent !== undefined) this.#events.onAny(options.onEvent);
    const host = this.#createHost();
    this.#instances = this.#services.flatMap((service) =>
      service.ports.map((port) => {
        const instance = new ProcessInstance(service, port, host);
        this.#declaredPorts.set(instance, port);
        return instance;
      }),
    );
  }

  /**
   * Starts everything in dependency order, side by side where nothing is in between, and resolves when all are
   * ready. If one fails, those that run are stopped first.
   *
   * @throws MeshStartError naming the process and why it did not become ready.
   */
  start(): Promise<void> {
    if (this.#stopping !== undefined) {
      const again = (): Promise<void> => this.start();
      return this.#stopping.then(again, again);
    }
    this.#starting ??= this.#startAll();
    return this.#starting;
  }

  /**
   * Stops everything in reverse order: SIGTERM, then SIGKILL for the process group when `stopTimeoutMs` is over;
   * resolves when all of it is gone. `force` kills everything at once, also in the middle of an orderly stop.
   *
   * @throws Error when a process survives SIGKILL.
   */
  stop({ force = false }: { force?: boolean } = {}): Promise<void> {
    this.#accepting = false;
    this.#stopping ??= this.#stopAll().finally(() => {
      this.#stopping = undefined;
      this.#starting = undefined;
    });
    if (force) for (const instance of this.#instances) instance.stop({ force }).catch(() => undefined);
    return this.#stopping;
  }

  /** Starts the stopped instances of a service, or one instance, by name. @throws MeshStartError, RangeError */
  async startService(name: string): Promise<void> {
    await Promise.all(this.#find(name).map((instance) => this.#startOne(instance)));
  }

  /** Stops the instances of a service, or one instance; they stay stopped. @throws RangeError */
  async stopService(name: string): Promise<void> {
    await Promise.all(this.#find(name).map((instance) => instance.stop()));
  }

  /** Restarts one instance, or those of a service one after the other. @throws MeshStartError, RangeError */
  async restartService(name: string): Promise<void> {
    for (const instance of this.#find(name)) {
      this.#assertAccepting(instance.instance);
      await instance.restart();
    }
  }

  /** SIGKILL for the instances of a service, or one instance: a crash, made on purpose. @throws RangeError */
  killService(name: string): void {
    for (const instance of this.#find(name)) instance.kill();
  }

  /** All processes in start order; the same frozen array as long as nothing changes. */
  getSnapshot(): readonly ProcessSnapshot[] {
    this.#snapshot ??= Object.freeze(this.#instances.map((instance) => instance.getSnapshot()));
    return this.#snapshot;
  }

  /** Calls back after every change of the snapshot. @returns how to unsubscribe. */
  subscribe(listener: () => void): () => void {
    return this.#events.on('state', () => {
      listener();
    });
  }

  /** Listens to the events of a type. @returns how to unsubscribe. */
  on<T extends MeshEvent['type']>(type: T, listener: (event: MeshEventOf<T>) => void): () => void {
    return this.#events.on(type, listener);
  }

  /** The same as `stop()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  readonly #killAll = (): void => {
    for (const instance of this.#instances) instance.kill();
  };

  async #startAll(): Promise<void> {
    this.#accepting = true;
    process.once('exit', this.#killAll);
    try {
      await this.#assignPorts();
      const ready = new Map<string, Promise<unknown>>();
      for (const { name, dependsOn } of this.#services) {
        const started = Promise.all(dependsOn.map((needed) => ready.get(needed) ?? Promise.resolve())).then(
          () => Promise.all(this.#instancesOf(name).map((instance) => this.#startOne(instance))),
        );
        ready.set(name, started);
      }
      await Promise.all(ready.values());
    } catch (error) {
      await this.stop().catch(() => undefined);
      throw error;
    }
  }

  async #stopAll(): Promise<void> {
    const stopped = new Map<string, Promise<unknown>>();
    for (const { name } of this.#services.toReversed()) {
      const dependents = this.#services.filter(({ needs }) => needs.includes(name));
      const ended = Promise.allSettled(
        dependents.map((service) => stopped.get(service.name) ?? Promise.resolve()),
      ).then(() => Promise.all(this.#instancesOf(name).map((instance) => instance.stop())));
      stopped.set(name, ended);
    }
    const results = await Promise.allSettled(stopped.values());
    process.removeListener('exit', this.#killAll);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  async #assignPorts(): Promise<void> {
    const withPorts = this.#instances.filter((instance) => instance.port !== 0);
    const isolated = this.#options.isolated === true ? await freePorts(withPorts.length) : [];
    for (const [index, instance] of withPorts.entries()) {
      instance.assignPort(isolated[index] ?? this.#declaredPorts.get(instance) ?? 0);
    }
    const planned = [...withPorts.map(({ port }) => port), ...this.#declaredPorts.values()];
    this.#ports = new PortPlan(planned, (event) => {
      this.#events.emit(event);
    });
    await Promise.all(
      withPorts.map(async (instance) => {
        const claim = await this.#ports.claim(instance, true);
        if ('port' in claim && claim.port !== instance.port) instance.assignPort(claim.port);
      }),
    );
  }

  async #startOne(instance: ProcessInstance): Promise<void> {
    this.#assertAccepting(instance.instance);
    await instance.start();
  }

  #assertAccepting(instance: string): void {
    if (!this.#accepting) {
      throw new MeshStartError(instance, 'stopped', 'was not started: the mesh is stopped');
    }
  }

  #createHost(): InstanceHost {
    return {
      backOff: this.#options.backOff ?? {},
      emit: (event) => {
        this.#events.emit(event);
      },
      claimPort: (instance, movable) => this.#ports.claim(instance, movable),
      prepare: (instance) => this.#prepare(instance),
      createGroup: (options) => new ProcessGroup(options),
      waitForGate,
      now: () => performance.now(),
      after: (ms, callback) => {
        const timer = setTimeout(callback, ms);
        return () => {
          clearTimeout(timer);
        };
      },
    };
  }

  #prepare({ instance, service, port }: HostedInstance): Launch {
    const definition = this.#services.find(({ name }) => name === service);
    const own = definition?.env({ port, instance, url: (name) => this.#url(name) });
    const all: Readonly<Record<string, string | undefined>> = {
      ...(this.#options.env ?? inheritedEnv),
      ...own,
      ...(port !== 0 && { PORT: String(port) }),
    };
    const env = Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const folder = resolvePath(this.#options.cwd ?? currentFolder(), definition?.cwd ?? '.');
    return { cwd: folder, env, registrationUrl: this.#registrationUrl(definition?.serviceName) };
  }

  #registrationUrl(serviceName: string | undefined): string | undefined {
    const { registry } = this.#config;
    if (serviceName === undefined || registry === undefined) return undefined;
    // A registry that is left out by `only` cannot be asked.
    if (this.#instancesOf(registry).length === 0) return undefined;
    return `${this.#url(registry)}/services/${serviceName}`;
  }

  #url(service: string): string {
    const ports = Object.hasOwn(this.#config.services, service)
      ? this.#config.services[service]?.ports
      : undefined;
    if (ports === undefined)
      throw new MeshConfigError(`url("${service}"): there is no such service with a port`);
    const declared = typeof ports === 'number' ? ports : ports.from;
    return `http://127.0.0.1:${this.#instancesOf(service)[0]?.port ?? declared}`;
  }

  #instancesOf(service: string): readonly ProcessInstance[] {
    return this.#instances.filter((instance) => instance.service === service);
  }

  #find(name: string): readonly ProcessInstance[] {
    const found = this.#instances.filter(({ instance, service }) => instance === name || service === name);
    if (found.length > 0) return found;
    const known = this.#instances.map(({ instance }) => instance).join(', ');
    throw new RangeError(`mesh: there is no service or instance "${name}"; there are ${known}`);
  }
}

function selected(
  services: readonly ResolvedService[],
  only?: readonly string[],
): readonly ResolvedService[] {
  if (only === undefined) return services;
  for (const name of only) {
    if (!services.some((service) => service.name === name)) {
      const known = services.map((service) => service.name).join(', ');
      throw new MeshConfigError(`only names "${name}", which is not a service; there are ${known}`);
    }
  }
  const needs = new Map(services.map(({ name, dependsOn }) => [name, dependsOn]));
  const wanted = withNeeds(only, needs);
  return services.filter(({ name }) => wanted.has(name));
}
