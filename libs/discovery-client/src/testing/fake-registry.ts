import type { Instance } from '../instance.ts';
import { VirtualTime } from '@mesh/resilience/testing';

/** A request as the fake registry received it. */
export interface SeenRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown> | undefined;
  readonly signal: AbortSignal;
}

interface Watcher {
  readonly names: ReadonlySet<string> | undefined;
  readonly lastEventId: string | undefined;
  readonly stream: ReadableStreamDefaultController<Uint8Array>;
}

/** An open session, and what ends it. */
export interface SeenSession {
  readonly id: string;
  /** The registry says why, and ends the stream. */
  close(reason: string): void;
  /** The connection breaks. */
  cut(): void;
}

interface LoggedChange {
  readonly revision: number;
  readonly name: string;
  readonly text: string;
}

/** An instance as a registry would list it. */
export function instanceOf(name: string, port: number, more: Partial<Instance> = {}): Instance {
  return {
    id: `127.0.0.1:${port}`,
    name,
    host: '127.0.0.1',
    port,
    weight: 1,
    metadata: {},
    status: 'up',
    heartbeatInterval: 30,
    incarnation: `i${port}`,
    registeredAt: '2026-11-21T00:00:00.000Z',
    lastHeartbeat: '2026-11-21T00:00:00.000Z',
    ...more,
  };
}

/** The registry's wire protocol behind a `fetch`, with faults on demand. */
export class FakeRegistry {
  readonly requests: SeenRequest[] = [];
  readonly watchers = new Set<Watcher>();
  readonly sessions = new Set<SeenSession>();
  readonly #time: VirtualTime;
  readonly #services = new Map<string, Map<string, Instance>>();
  #log: LoggedChange[] = [];
  #epoch = 1;
  #revision = 0;
  /** `down`: connections are refused; `hang`: nothing is answered; `broken`: 500 for everything. */
  mode: 'up' | 'down' | 'hang' | 'broken' = 'up';
  /** Whether `POST /session` is offered. */
  offersSessions = false;
  /** Whether `POST /heartbeats` is offered. */
  takesBatches = true;
  /** Status for `GET /watch` instead of a stream. */
  watchStatus: number | undefined;
  /** Changes a watcher can be resumed over. */
  ringSize = 10_000;
  /** Answers instead of the registry when it returns something. */
  intercept: ((request: SeenRequest) => Response | Promise<Response> | undefined) | undefined;

  /** Milliseconds between the moment a lookup is answered and the moment the answer arrives. */
  latencyMs = 0;

  constructor(time = new VirtualTime()) {
    this.#time = time;
  }

  get position(): string {
    return `e${this.#epoch}:${this.#revision}`;
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input as string);
    const signal = init?.signal ?? new AbortController().signal;
    const request: SeenRequest = {
      at: this.#time.now(),
      method: init?.method ?? 'GET',
      path: url.pathname + url.search,
      headers: new Headers(init?.headers),
      body: typeof init?.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : undefined,
      signal,
    };
    this.requests.push(request);
    signal.throwIfAborted();
    await Promise.resolve();
    const intercepted = this.intercept?.(request);
    if (intercepted !== undefined) return await Promise.race([intercepted, aborted(signal)]);
    if (this.mode === 'down') throw new TypeError('fetch failed');
    if (this.mode === 'hang') return await aborted(signal);
    if (this.mode === 'broken') return json(500, { code: 'ERR_INTERNAL' });
    const response = this.#route(request, url);
    if (this.latencyMs > 0 && url.pathname !== '/watch')
      await Promise.race([this.#travel(), aborted(signal)]);
    return response;
  };

  /** The requests to a route, e.g. `POST /heartbeat` or `GET /services/a`. */
  calls(route: string): SeenRequest[] {
    return this.requests.filter((request) => `${request.method} ${request.path}`.startsWith(route));
  }

  list(name: string): Instance[] {
    const known = [...(this.#services.get(name)?.values() ?? [])];
    return known.filter(({ status }) => status === 'up').sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  upsert(instance: Instance): void {
    const known = this.#services.get(instance.name) ?? new Map<string, Instance>();
    this.#services.set(instance.name, known.set(instance.id, instance));
    this.#publish('upsert', instance.name, { instance });
  }

  remove(name: string, id: string, reason = 'deregistered'): void {
    const known = this.#services.get(name);
    if (known?.delete(id) !== true) return;
    if (known.size === 0) this.#services.delete(name);
    this.#publish('remove', name, { name, id, reason });
  }

  bookmark(): void {
    for (const watcher of this.watchers)
      watcher.stream.enqueue(this.#event('bookmark', this.#revision, { revision: this.#revision }));
  }

  /** Bytes to every watcher as they are. */
  send(text: string): void {
    for (const watcher of this.watchers) watcher.stream.enqueue(new TextEncoder().encode(text));
  }

  /** Ends (or breaks) every watcher's connection. */
  dropWatchers(error?: Error): void {
    for (const watcher of this.watchers) {
      if (error) watcher.stream.error(error);
      else watcher.stream.close();
    }
    this.watchers.clear();
  }

  /** A new run of the registry: nothing registered, another epoch. */
  restart(): void {
    this.#epoch += 1;
    this.#revision = 0;
    this.#log = [];
    this.#services.clear();
    this.dropWatchers(new TypeError('terminated'));
  }

  #travel(): Promise<void> {
    return new Promise((resolve) => this.#time.set(resolve, this.latencyMs));
  }

  #route(request: SeenRequest, url: URL): Response {
    const { method, body = {} } = request;
    if (url.pathname === '/watch') return this.#watch(request, url);
    if (url.pathname === '/register') return this.#register(body as unknown as Instance);
    if (url.pathname === '/heartbeat') return this.#heartbeat(body as unknown as Instance);
    if (url.pathname === '/heartbeats' && this.takesBatches)
      return this.#heartbeats(body as unknown as { heartbeats: Instance[] });
    if (url.pathname === '/session' && this.offersSessions)
      return this.#session(body as unknown as Instance, request.signal);
    const [, , name = ''] = url.pathname.split('/');
    if (url.pathname.endsWith('/drain')) return this.#drain(name, url, method);
    if (method === 'DELETE') return this.#delete(name, url);
    const instances = this.list(name);
    if (instances.length === 0) return json(404, { code: 'ERR_SERVICE_UNKNOWN' });
    return json(200, { name, instances, revision: this.position });
  }

  #register(body: Instance): Response {
    const instance = instanceOf(body.name, body.port, body);
    const old = this.#services.get(body.name)?.get(instance.id);
    if (old?.incarnation !== instance.incarnation) this.upsert(instance);
    return json(old ? 200 : 201, { ...instance, lease: {}, revision: this.position });
  }

  #heartbeat(body: Instance): Response {
    const known = this.#services.get(body.name)?.get(body.id);
    if (known === undefined) return json(404, { code: 'ERR_INSTANCE_UNKNOWN' });
    if (known.incarnation !== body.incarnation) return json(409, { code: 'ERR_INCARNATION_STALE' });
    return json(200, { lease: {}, revision: this.position });
  }

  #heartbeats({ heartbeats }: { readonly heartbeats: readonly Instance[] }): Response {
    const results = heartbeats.map((one) => {
      const known = this.#services.get(one.name)?.get(one.id);
      if (known === undefined) return { status: 404, code: 'ERR_INSTANCE_UNKNOWN', detail: '' };
      const isStale = known.incarnation !== one.incarnation;
      return isStale
        ? { status: 409, code: 'ERR_INCARNATION_STALE', detail: '' }
        : { status: 200, lease: {} };
    });
    return json(200, { results });
  }

  #session(body: Instance, signal: AbortSignal): Response {
    const answer = this.#heartbeat(body);
    if (!answer.ok) return answer;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (event: string, data: object): void => {
          controller.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
        };
        const session: SeenSession = {
          id: body.id,
          close: (reason) => {
            send('close', { reason });
            this.sessions.delete(session);
            controller.close();
          },
          cut: () => {
            if (this.sessions.delete(session)) controller.error(new TypeError('terminated'));
          },
        };
        this.sessions.add(session);
        signal.addEventListener('abort', () => {
          session.cut();
        });
        send('open', { lease: {}, revision: this.position });
      },
    });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  }

  #drain(name: string, url: URL, method: string): Response {
    const id = decodeURIComponent(url.pathname.split('/')[3] ?? '');
    const known = this.#services.get(name)?.get(id);
    if (known === undefined) return json(404, { code: 'ERR_INSTANCE_UNKNOWN' });
    if (url.searchParams.get('incarnation') !== known.incarnation)
      return json(409, { code: 'ERR_INCARNATION_STALE' });
    const status = method === 'PUT' ? 'draining' : 'up';
    this.#services.get(name)?.set(id, { ...known, status });
    if (status === 'draining') this.#publish('remove', name, { name, id, reason: 'draining' });
    else this.#publish('upsert', name, { instance: this.#services.get(name)?.get(id) });
    return json(200, { name, id, override: { status } });
  }

  #delete(name: string, url: URL): Response {
    const port = Number(url.pathname.split('/')[3]);
    const id = url.searchParams.get('id');
    const all = [...(this.#services.get(name)?.values() ?? [])];
    const known = all.find((one) => one.port === port && (id === null || one.id === id));
    if (known === undefined) return json(404, { code: 'ERR_INSTANCE_UNKNOWN' });
    const incarnation = url.searchParams.get('incarnation') ?? known.incarnation;
    if (known.incarnation !== incarnation) return json(409, { code: 'ERR_INCARNATION_STALE' });
    this.remove(name, known.id);
    return json(200, known);
  }

  #watch(request: SeenRequest, url: URL): Response {
    if (this.watchStatus !== undefined) return json(this.watchStatus, { code: 'ERR_UNAVAILABLE' });
    const services = url.searchParams.get('services');
    const names = services === null ? undefined : new Set(services.split(','));
    const lastEventId = request.headers.get('last-event-id') ?? undefined;
    const { signal } = request;
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        const watcher: Watcher = { names, lastEventId, stream };
        this.watchers.add(watcher);
        stream.enqueue(new TextEncoder().encode('retry: 500\n\n'));
        this.#begin(watcher);
        signal.addEventListener('abort', () => {
          if (this.watchers.delete(watcher)) stream.error(signal.reason);
        });
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  }

  #begin({ names, lastEventId, stream }: Watcher): void {
    const [epoch, revision] = lastEventId?.split(':') ?? [];
    const since = Number(revision);
    const resumable = epoch === `e${this.#epoch}` && this.#revision - since <= this.ringSize;
    if (resumable) {
      for (const change of this.#log) {
        if (change.revision > since && (names?.has(change.name) ?? true))
          stream.enqueue(new TextEncoder().encode(change.text));
      }
      stream.enqueue(this.#event('bookmark', this.#revision, { revision: this.#revision }));
      return;
    }
    const instances = [...this.#services.values()].flatMap((known) => [...known.values()]);
    const wanted = instances.filter(({ name, status }) => status === 'up' && (names?.has(name) ?? true));
    stream.enqueue(
      this.#event('snapshot', this.#revision, {
        epoch: `e${this.#epoch}`,
        revision: this.#revision,
        instances: wanted,
      }),
    );
  }

  #publish(event: string, name: string, data: object): void {
    this.#revision += 1;
    const bytes = this.#event(event, this.#revision, data);
    this.#log.push({ revision: this.#revision, name, text: new TextDecoder().decode(bytes) });
    for (const watcher of this.watchers) if (watcher.names?.has(name) ?? true) watcher.stream.enqueue(bytes);
  }

  #event(event: string, revision: number, data: object): Uint8Array {
    return new TextEncoder().encode(
      `id: e${this.#epoch}:${revision}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`,
    );
  }
}

/** An answer in JSON. */
export function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
  });
}
