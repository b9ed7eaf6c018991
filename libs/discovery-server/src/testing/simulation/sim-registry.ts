import type { Clock } from '@mesh/discovery-client';
import { formatHash } from '@mesh/discovery-client';
import { statusByCode } from '@mesh/problem';
import { Liveness } from '../../liveness.ts';
import type { Reacher } from '../../reach.ts';
import { isRegistryError } from '../../registry-error.ts';
import { Registry } from '../../registry.ts';
import { WatchHub } from '../../watch-hub.ts';
import { SimHost } from './sim-host.ts';
import type { SimStream } from './sim-stream.ts';
import type { SimTime } from './sim-time.ts';

/** A request as it reaches the registry. */
export interface SimRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** Where it comes from. */
  readonly address: string;
  /** Becomes the answer where that is a stream. */
  stream(): SimStream;
}

/** An answer as it leaves it. */
export interface SimAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly stream?: SimStream;
}

/** The world that a registry lives in. */
export interface SimWorld {
  readonly time: SimTime;
  readonly wallClock: Clock;
  readonly reach: Reacher;
  random(): number;
}

/**
 * The process of the registry: the real `Registry`, `WatchHub`, sessions and guardian, with the routes of the plugin in front as
 * plain functions. It can be stopped, and be killed and started again without a memory.
 */
export class SimRegistry {
  readonly #world: SimWorld;
  readonly #streams = new Set<SimStream>();
  host: SimHost;
  registry!: Registry;
  #hub!: WatchHub;
  #liveness!: Liveness;
  /** Called with each run of the registry. */
  onStart: ((registry: Registry) => void) | undefined;

  constructor(world: SimWorld) {
    this.#world = world;
    this.host = new SimHost(world.time, 'registry');
  }

  get isUp(): boolean {
    return this.host.isAlive;
  }

  /** A run that knows nobody, under another epoch. */
  start(): void {
    const { time, wallClock, reach } = this.#world;
    this.host = new SimHost(time, 'registry');
    const { timers } = this.host;
    this.registry = new Registry({ clock: time, wallClock, timers, random: () => this.#world.random() });
    this.#hub = new WatchHub(this.registry, { timers });
    this.#liveness = new Liveness(this.registry, { probe: false, reach, timers, sessions: { timers } });
    this.onStart?.(this.registry);
  }

  /** Every connection is reset, nobody listens. */
  kill(): void {
    this.host.kill();
    for (const stream of [...this.#streams]) {
      stream.onClose = undefined;
      stream.destroy();
    }
    this.#streams.clear();
  }

  answer(request: SimRequest): SimAnswer {
    try {
      return this.#route(request);
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      return { status: statusByCode[error.code] ?? 500, body: { code: error.code, detail: error.message } };
    }
  }

  #route(request: SimRequest): SimAnswer {
    const { method, url } = request;
    const body = { host: request.address, ...request.body } as never;
    const [, route, name = '', rest = ''] = url.pathname.split('/');
    switch (`${method} /${route ?? ''}`) {
      case 'POST /register': {
        const { instance, lease, revision } = this.registry.register(body);
        return { status: 200, body: { ...instance, lease, revision } };
      }
      case 'POST /heartbeat':
        return { status: 200, body: this.registry.heartbeat(body) };
      case 'POST /session':
        this.registry.identify(body);
        return this.#open(request, (stream) => this.#liveness.sessions.open(stream, body));
      case 'GET /watch': {
        const services = url.searchParams.get('services')?.split(',');
        const lastEventId = request.headers['last-event-id'];
        return this.#open(request, (stream) => this.#hub.open(stream, { services, lastEventId }));
      }
      case 'DELETE /services': {
        const { id, incarnation } = Object.fromEntries(url.searchParams);
        return {
          status: 200,
          body: this.registry.deregister({ name, port: Number(rest), id, incarnation }),
        };
      }
      default:
        return this.#lookUp(name);
    }
  }

  #lookUp(name: string): SimAnswer {
    const service = this.registry.service(name);
    const headers = { 'x-registry-revision': this.registry.revision };
    if (service === undefined) return { status: 404, headers, body: { code: 'ERR_SERVICE_UNKNOWN' } };
    const { revision, hashes } = service;
    const instances = service.describe('listed');
    return { status: 200, headers, body: { name, instances, revision, hash: formatHash(hashes.listed) } };
  }

  #open(request: SimRequest, begin: (stream: SimStream) => () => void): SimAnswer {
    const stream = request.stream();
    const close = begin(stream);
    this.#streams.add(stream);
    stream.onClose = () => {
      this.#streams.delete(stream);
      this.host.run(close);
    };
    return { status: 200, headers: { 'content-type': 'text/event-stream' }, stream };
  }
}
