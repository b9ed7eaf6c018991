import type { DiscoveryError } from './discovery-error.ts';
import type { Instance, ServiceDescription } from './instance.ts';
import type { Provider, ProviderContext } from './provider.ts';
import type { Acceptance, ServiceList } from './registry-answer.ts';
import {
  malformed,
  parseObject,
  readBeats,
  readAcceptance,
  readServiceList,
  readText,
  refusal,
} from './registry-answer.ts';
import { baseUrl } from './server-urls.ts';
import type { Call } from './wire.ts';
import { Wire } from './wire.ts';

/** Longest list of names for the query of a watch; beyond it everything is watched and the rest ignored. */
const maximumQueryLength = 4000;

/** The routes of `@mesh/discovery-server`, typed. */
export class RegistryProvider implements Provider {
  readonly #wire: Wire;
  readonly #scope: { readonly namespace?: string };

  constructor({ settings, urls, ...context }: ProviderContext) {
    const { namespace } = settings;
    this.#scope = namespace === undefined ? {} : { namespace };
    this.#wire = new Wire(settings, urls.map(baseUrl), () => {
      context.onConnected();
    });
  }

  get status(): 'connected' | 'disconnected' {
    return this.#wire.status;
  }

  get server(): string {
    return this.#wire.server;
  }

  /** `POST /register`. */
  async register(
    service: ServiceDescription,
    incarnation: string,
    signal?: AbortSignal,
  ): Promise<Acceptance> {
    const body = { ...service, ...this.#scope, incarnation };
    return readAcceptance(await this.#object({ method: 'POST', path: '/register', body, signal }));
  }

  /** `POST /heartbeat`; given up within half an interval (but not below 1 s), so that a hung call leaves time for another. */
  async heartbeat(instance: Instance, signal?: AbortSignal): Promise<void> {
    const timeoutMs = timeoutOf(instance);
    const body = this.#beat(instance);
    await this.#object({ method: 'POST', path: '/heartbeat', body, signal, timeoutMs });
  }

  /** `POST /heartbeats`; given up as the shortest of them would be. */
  async heartbeats(
    instances: readonly Instance[],
    signal?: AbortSignal,
  ): Promise<readonly (DiscoveryError | undefined)[] | undefined> {
    const path = '/heartbeats';
    const timeoutMs = Math.min(...instances.map(timeoutOf));
    const body = { heartbeats: instances.map((instance) => this.#beat(instance)) };
    const answer = await this.#wire.call({ method: 'POST', path, body, signal, timeoutMs });
    const { status, ok } = answer.response;
    if (ok || status === 404 || status === 405 || status === 501)
      return ok ? readBeats(answer.body, instances.length) : undefined;
    throw refusal(`POST ${path}`, answer.response, answer.body);
  }

  /** `PUT /services/:name/:id/drain`, `DELETE` to take it back. It ends with this incarnation. */
  async drain({ name, id, incarnation }: Instance, isDraining: boolean, signal?: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ ...this.#scope, incarnation });
    const path = `/services/${name}/${encodeURIComponent(id)}/drain?${query.toString()}`;
    await this.#object({ method: isDraining ? 'PUT' : 'DELETE', path, signal });
  }

  /** `POST /session`. */
  session(instance: Instance, connection: AbortSignal): Promise<Response | undefined> {
    return this.#stream({ method: 'POST', path: '/session', body: this.#beat(instance) }, {}, connection);
  }

  /** `DELETE /services/:name/:port`; an instance that is unknown there, or another process by now, is gone already. */
  async deregister({ name, port, host, id }: ServiceDescription, incarnation: string): Promise<void> {
    const query = new URLSearchParams({
      ...this.#scope,
      ...(host !== undefined && { host }),
      ...(id !== undefined && { id }),
      incarnation,
    });
    const path = `/services/${name}/${port}?${query.toString()}`;
    const { response, body } = await this.#wire.call({ method: 'DELETE', path });
    if (!response.ok && response.status !== 404 && response.status !== 409)
      throw refusal('DELETE /services/:name/:port', response, body);
  }

  /** `GET /services/:name`; a name the registry does not know has no instances. */
  async find(name: string, signal?: AbortSignal): Promise<ServiceList> {
    const { namespace } = this.#scope;
    const path = `/services/${name}${namespace === undefined ? '' : `?namespace=${namespace}`}`;
    const { response, body } = await this.#wire.call({ method: 'GET', path, signal });
    if (response.ok && body !== undefined) return readServiceList(body);
    // A 404 that is not about the service (a proxy's page, another route table) says nothing about instances.
    const unknown = body !== undefined && (body['code'] ?? 'ERR_SERVICE_UNKNOWN') === 'ERR_SERVICE_UNKNOWN';
    if (response.status === 404 && unknown) {
      // Of the whole registry: who is not listed was gone by then.
      const revision = response.headers.get('x-registry-revision') ?? body['revision'];
      return readServiceList({ ...body, revision, instances: [] });
    }
    throw response.ok ? malformed('GET /services/:name') : refusal('GET /services/:name', response, body);
  }

  /** `GET /watch`. */
  watch(
    names: readonly string[],
    lastEventId: string | undefined,
    connection: AbortSignal,
  ): Promise<Response | undefined> {
    const { namespace } = this.#scope;
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    const list = names.map((name) => prefix + name).join(',');
    const everything = namespace === undefined ? '' : `?namespace=${namespace}`;
    const path = `/watch${list.length > maximumQueryLength ? everything : `?services=${list}`}`;
    const headers = lastEventId === undefined ? undefined : { 'last-event-id': lastEventId };
    return this.#stream({ method: 'GET', path }, { ...headers }, connection);
  }

  #beat({ name, port, id, host, heartbeatInterval, incarnation }: Instance): object {
    return { name, ...this.#scope, port, id, host, heartbeatInterval, incarnation };
  }

  /** An open stream of server-sent events; undefined when the registry offers none. */
  async #stream(
    call: Call,
    headers: Readonly<Record<string, string>>,
    connection: AbortSignal,
  ): Promise<Response | undefined> {
    const response = await this.#wire.open(call, { accept: 'text/event-stream', ...headers }, connection);
    const { status } = response;
    if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') === true)
      return response;
    const body = parseObject(await readText(response));
    // Only a registry that has the route knows that it does not know the instance.
    const isAbout = body?.['code'] === 'ERR_INSTANCE_UNKNOWN';
    if (response.ok || status === 501 || status === 405 || (status === 404 && !isAbout)) return undefined;
    throw refusal(`${call.method} ${call.path.replace(/\?.*/, '')}`, response, body);
  }

  async #object(call: Call): Promise<Readonly<Record<string, unknown>>> {
    const { response, body } = await this.#wire.call(call);
    if (!response.ok) throw refusal(`${call.method} ${call.path}`, response, body);
    if (body === undefined) throw malformed(`${call.method} ${call.path}`);
    return body;
  }
}

function timeoutOf({ heartbeatInterval }: Instance): number {
  return Math.max(1000, heartbeatInterval * 500);
}
