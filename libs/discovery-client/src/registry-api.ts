import type { DiscoverySettings } from './discovery-client-options.ts';
import { DiscoveryError } from './discovery-error.ts';
import type { Instance, ServiceDescription } from './instance.ts';
import type { Acceptance, ServiceList } from './registry-answer.ts';
import {
  malformed,
  parseObject,
  readAcceptance,
  readServiceList,
  readText,
  refusal,
} from './registry-answer.ts';

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

type FetchInit = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> };

interface Answer {
  readonly response: Response;
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

/** Longest list of names for the query of a watch; beyond it everything is watched and the rest ignored. */
const maximumQueryLength = 4000;

/** The registry's HTTP routes, typed, each call bounded by `requestTimeout`. Failures are `DiscoveryError`s. */
export class RegistryApi {
  readonly #settings: DiscoverySettings;
  readonly #onConnected: () => void;
  #status: 'connected' | 'disconnected' = 'disconnected';

  constructor(settings: DiscoverySettings, onConnected: () => void) {
    this.#settings = settings;
    this.#onConnected = onConnected;
  }

  /** Whether the last call was answered. */
  get status(): 'connected' | 'disconnected' {
    return this.#status;
  }

  /** `POST /register`. */
  async register(
    service: ServiceDescription,
    incarnation: string,
    signal?: AbortSignal,
  ): Promise<Acceptance> {
    const body = { ...service, incarnation };
    return readAcceptance(await this.#object({ method: 'POST', path: '/register', body, signal }));
  }

  /** `POST /heartbeat`; given up within half an interval (but not below 1 s), so that a hung call leaves time for another. */
  async heartbeat(instance: Instance, signal?: AbortSignal): Promise<void> {
    const { name, port, id, host, heartbeatInterval, incarnation } = instance;
    const body = { name, port, id, host, heartbeatInterval, incarnation };
    const timeoutMs = Math.max(1000, heartbeatInterval * 500);
    await this.#object({ method: 'POST', path: '/heartbeat', body, signal, timeoutMs });
  }

  /** `DELETE /services/:name/:port`; an instance that is unknown there, or another process by now, is gone already. */
  async deregister({ name, port, host, id }: ServiceDescription, incarnation: string): Promise<void> {
    const query = new URLSearchParams({
      ...(host !== undefined && { host }),
      ...(id !== undefined && { id }),
      incarnation,
    });
    const path = `/services/${name}/${port}?${query.toString()}`;
    const { response, body } = await this.#call({ method: 'DELETE', path });
    if (!response.ok && response.status !== 404 && response.status !== 409)
      throw refusal('DELETE /services/:name/:port', response, body);
  }

  /** `GET /services/:name`; a name the registry does not know has no instances. */
  async service(name: string, signal?: AbortSignal): Promise<ServiceList> {
    const { response, body } = await this.#call({ method: 'GET', path: `/services/${name}`, signal });
    if (response.ok && body !== undefined) return readServiceList(body);
    // A 404 that is not about the service (a proxy's page, another route table) says nothing about instances.
    const unknown = body !== undefined && (body['code'] ?? 'ERR_SERVICE_UNKNOWN') === 'ERR_SERVICE_UNKNOWN';
    if (response.status === 404 && unknown) return readServiceList({ ...body, instances: [] });
    throw response.ok ? malformed('GET /services/:name') : refusal('GET /services/:name', response, body);
  }

  /**
   * `GET /watch`: the open stream, or undefined when the registry offers none. `requestTimeout` bounds the time to the
   * headers; from then on the stream lives until `connection` is aborted.
   */
  async watch(
    names: readonly string[],
    lastEventId: string | undefined,
    connection: AbortController,
  ): Promise<Response | undefined> {
    const list = names.join(',');
    const path = list.length > maximumQueryLength ? '/watch' : `/watch?services=${list}`;
    const headers = {
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    };
    const { timers, requestTimeoutMs } = this.#settings;
    const timer = timers.set(() => {
      connection.abort(timeout('GET /watch', requestTimeoutMs));
    }, requestTimeoutMs);
    try {
      const response = await this.#fetch(path, { headers, signal: connection.signal });
      if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') === true)
        return response;
      const body = parseObject(await readText(response));
      if (response.ok || response.status === 404 || response.status === 501) return undefined;
      throw refusal('GET /watch', response, body);
    } catch (error) {
      throw this.#failure('GET /watch', error, connection.signal);
    } finally {
      timers.clear(timer);
    }
  }

  async #object(call: Call): Promise<Readonly<Record<string, unknown>>> {
    const { response, body } = await this.#call(call);
    if (!response.ok) throw refusal(`${call.method} ${call.path}`, response, body);
    if (body === undefined) throw malformed(`${call.method} ${call.path}`);
    return body;
  }

  async #call(call: Call): Promise<Answer> {
    const { timers } = this.#settings;
    const { signal: caller, method } = call;
    const timeoutMs = Math.min(call.timeoutMs ?? Infinity, this.#settings.requestTimeoutMs);
    const controller = new AbortController();
    const abort = (): void => {
      controller.abort(caller?.reason);
    };
    const timer = timers.set(() => {
      controller.abort(timeout(`${method} ${call.path}`, timeoutMs));
    }, timeoutMs);
    if (caller?.aborted === true) abort();
    caller?.addEventListener('abort', abort, { once: true });
    try {
      const response = await this.#fetch(call.path, {
        method,
        signal: controller.signal,
        ...(call.body && {
          body: JSON.stringify(call.body),
          headers: { 'content-type': 'application/json' },
        }),
      });
      return { response, body: parseObject(await readText(response)) };
    } catch (error) {
      throw this.#failure(`${method} ${call.path}`, error, controller.signal);
    } finally {
      timers.clear(timer);
      caller?.removeEventListener('abort', abort);
    }
  }

  async #fetch(path: string, init: FetchInit): Promise<Response> {
    const { serverUrl, token } = this.#settings;
    const headers = { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const response = await this.#settings.fetch(serverUrl + path, { ...init, headers, redirect: 'error' });
    // A gateway in front that finds nobody is no answer of the registry; its other troubles are.
    if (response.status !== 502 && response.status !== 504) this.#answered();
    return response;
  }

  #answered(): void {
    if (this.#status === 'connected') return;
    this.#status = 'connected';
    this.#settings.emit({ type: 'connected' });
    this.#onConnected();
  }

  /** The error to throw: the abort's reason, or ours with the cause. Only silence and broken connections count as lost contact. */
  #failure(call: string, error: unknown, signal: AbortSignal): unknown {
    const reason: unknown = signal.aborted ? signal.reason : error;
    const timedOut =
      reason instanceof DiscoveryError &&
      reason.status === undefined &&
      reason.code === 'ERR_DISCOVERY_UNAVAILABLE';
    if (signal.aborted && !timedOut) return reason;
    const failure =
      reason instanceof DiscoveryError
        ? reason
        : new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${call}: the registry does not answer`, {
            cause: error,
          });
    if (failure.status === undefined) this.#unanswered(failure);
    return failure;
  }

  #unanswered(error: DiscoveryError): void {
    if (this.#status === 'disconnected') return;
    this.#status = 'disconnected';
    this.#settings.emit({ type: 'disconnected', error });
  }
}

function timeout(call: string, timeoutMs: number): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${call}: no answer within ${timeoutMs} ms`);
}
