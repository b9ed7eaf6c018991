import { checkDefinition } from './definition-check.ts';
import { MeshConfigError } from './mesh-config-error.ts';
import { startOrder } from './start-order.ts';

/** What a service's `env` function may ask when one of its instances is about to start. */
export interface EnvContext {
  /** Port of this instance; 0 for a service without ports. */
  readonly port: number;
  /** Name of this instance, such as `user-service-4001`. */
  readonly instance: string;
  /** `http://127.0.0.1:<port>` of the first instance of a service, final for everything in `dependsOn`. */
  readonly url: (service: string) => string;
}

/** Consecutive ports, one instance on each. */
export interface PortRange {
  readonly from: number;
  readonly count: number;
}

/** `on-failure`: a crash is answered with a restart after a back-off. `never`: a crash is final. */
export type RestartPolicy = 'on-failure' | 'never';

/** One service of a mesh: the process to run, how often, and when it counts as ready. */
export interface ServiceDefinition {
  /** Program and arguments, no shell; a leading `node` is the Node that runs the mesh. */
  readonly command: readonly string[];
  /** Folder to run in, relative to the mesh's own. Default: that folder. */
  readonly cwd?: string;
  /** One port, or a range of ports with one instance on each. Default: none (a single process, ready once it runs). */
  readonly ports?: number | PortRange;
  /** Variables added to the inherited environment. `PORT` is always set to the port of the instance. */
  readonly env?:
    Readonly<Record<string, string>> | ((context: EnvContext) => Readonly<Record<string, string>>);
  /** Services that must be ready before this one starts; they stop after it. */
  readonly dependsOn?: readonly string[];
  /** Services that this one calls but can start without: started at the same time, stopped after it. */
  readonly uses?: readonly string[];
  /** Path that answers 200 once the service is healthy. Default: `/health`. */
  readonly health?: string;
  /** Name under which it registers; without it, registration is not awaited. */
  readonly serviceName?: string;
  /** Default: `on-failure`. */
  readonly restart?: RestartPolicy;
  /** Longest time from spawn to ready, in ms. Default: 30 000. */
  readonly startTimeoutMs?: number;
  /** Time between SIGTERM and SIGKILL, in ms. Default: 5 000. */
  readonly stopTimeoutMs?: number;
}

/** A whole mesh. */
export interface MeshConfig {
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  /** Key of the service that is the registry: `GET /services/<serviceName>` is asked there. */
  readonly registry?: string;
  /** Lines that a program shows once the mesh is ready: what to try next. */
  readonly hints?: (context: Pick<EnvContext, 'url'>) => readonly string[];
}

/** A definition with its defaults filled in. */
export interface ResolvedService {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string | undefined;
  /** Declared ports; `[0]` for a service without ports. */
  readonly ports: readonly number[];
  readonly env: (context: EnvContext) => Readonly<Record<string, string>>;
  readonly dependsOn: readonly string[];
  /** `dependsOn` and `uses` together: what must outlive this service. */
  readonly needs: readonly string[];
  readonly health: string;
  readonly serviceName: string | undefined;
  readonly restart: RestartPolicy;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/**
 * Checks a configuration and returns it.
 *
 * @throws MeshConfigError (a RangeError) naming the fault: unknown dependency, cycle, port clash, value out of range.
 */
export function defineMesh(config: MeshConfig): MeshConfig {
  resolveServices(config);
  return config;
}

/** Checks a configuration and fills in its defaults; the services come in start order. */
export function resolveServices(config: MeshConfig): readonly ResolvedService[] {
  const definitions = Object.entries(config.services);
  if (definitions.length === 0) throw new MeshConfigError('services must name at least one service');
  for (const [name, definition] of definitions) checkDefinition(name, definition, config);
  const services = new Map(definitions.map(([name, definition]) => [name, resolve(name, definition)]));
  checkPorts([...services.values()]);
  const needs = new Map([...services].map(([name, { needs }]) => [name, needs]));
  return startOrder(needs).flatMap((name) => services.get(name) ?? []);
}

function resolve(name: string, definition: ServiceDefinition): ResolvedService {
  const [program = '', ...args] = definition.command;
  const { env = {}, dependsOn = [], uses = [] } = definition;
  return {
    name,
    command: [program, ...args],
    cwd: definition.cwd,
    ports: portList(definition.ports),
    env: typeof env === 'function' ? env : () => env,
    dependsOn: [...new Set(dependsOn)],
    needs: [...new Set([...dependsOn, ...uses])],
    health: definition.health ?? '/health',
    serviceName: definition.serviceName,
    restart: definition.restart ?? 'on-failure',
    startTimeoutMs: definition.startTimeoutMs ?? 30_000,
    stopTimeoutMs: definition.stopTimeoutMs ?? 5_000,
  };
}

function portList(ports: ServiceDefinition['ports']): readonly number[] {
  if (ports === undefined) return [0];
  if (typeof ports === 'number') return [ports];
  return Array.from({ length: ports.count }, (_, index) => ports.from + index);
}

function checkPorts(services: readonly ResolvedService[]): void {
  const owners = new Map<number, string>();
  for (const { name, ports } of services) {
    for (const port of ports) {
      const owner = owners.get(port);
      if (owner !== undefined) {
        throw new MeshConfigError(`services "${owner}" and "${name}" both declare port ${port}`);
      }
      if (port !== 0) owners.set(port, name);
    }
  }
}
