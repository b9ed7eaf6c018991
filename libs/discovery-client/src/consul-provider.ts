import type { ConsulService } from './consul-answer.ts';
import { agentService, consulCheck, readHealth, toConsul } from './consul-answer.ts';
import { DiscoveryError } from './discovery-error.ts';
import type { Instance, ServiceDescription } from './instance.ts';
import type { Provider, ProviderContext } from './provider.ts';
import type { Acceptance, ServiceList } from './registry-answer.ts';
import { malformed, refusal } from './registry-answer.ts';
import type { Answer, Call } from './wire.ts';
import { Wire } from './wire.ts';

/** How long a blocking query may wait for a change; the agent adds up to a sixteenth. */
const waitSeconds = 60;

/**
 * A Consul agent (`consul://host:8500`, `consul+https://...`, `?dc=` for another data center): service and check over its
 * HTTP API, lists by blocking queries. Consul does not fence: every heartbeat and goodbye looks first whose the id is.
 */
export class ConsulProvider implements Provider {
  readonly #wire: Wire;
  readonly #scope: string;

  constructor({ settings, urls, ...context }: ProviderContext) {
    this.#wire = new Wire(settings, urls.map(consulUrl), () => {
      context.onConnected();
    });
    const dc = urls[0]?.searchParams.get('dc');
    this.#scope = dc == null ? '' : `&dc=${encodeURIComponent(dc)}`;
  }

  get status(): 'connected' | 'disconnected' {
    return this.#wire.status;
  }

  get server(): string {
    return this.#wire.server;
  }

  /** `PUT /v1/agent/service/register`, with an HTTP check every 10 s where there is a `healthCheckUrl`, else a TTL check. */
  async register(
    service: ServiceDescription,
    incarnation: string,
    signal?: AbortSignal,
  ): Promise<Acceptance> {
    const body = toConsul(service, incarnation);
    await this.#ok({ method: 'PUT', path: '/v1/agent/service/register', body, signal });
    const { instance } = (await this.#own(body.ID, signal)) ?? {};
    if (instance === undefined) throw malformed('GET /v1/agent/service/:id');
    return { instance: { ...instance, host: service.host ?? instance.host }, position: undefined };
  }

  /** `PUT /v1/agent/check/pass/...` for a TTL check; for an HTTP check it is enough that the service is known. */
  async heartbeat(instance: Instance, signal?: AbortSignal): Promise<void> {
    const own = await this.#own(instance.id, signal);
    if (own === undefined) throw unknownInstance(404);
    if (own.instance.incarnation !== instance.incarnation) throw unknownInstance(409);
    if (own.instance.healthCheckUrl !== undefined) return;
    const check = encodeURIComponent(consulCheck(instance.id));
    const answer = await this.#wire.call({ method: 'PUT', path: `/v1/agent/check/pass/${check}`, signal });
    // A check that is not there (500 in old agents) is made again by a new registration.
    if (!answer.response.ok)
      throw answer.text.includes('TTL') ? unknownInstance(404) : refused('check/pass', answer);
  }

  /** Maintenance mode: the instance fails a check of its own until it is switched off again. */
  async drain({ id }: Instance, isDraining: boolean, signal?: AbortSignal): Promise<void> {
    const path = `/v1/agent/service/maintenance/${encodeURIComponent(id)}?enable=${isDraining}&reason=draining`;
    await this.#ok({ method: 'PUT', path, signal });
  }

  /** `PUT /v1/agent/service/deregister/:id`, unless another process has the id by now. */
  async deregister(service: ServiceDescription, incarnation: string): Promise<void> {
    const { ID: id } = toConsul(service, incarnation);
    const own = await this.#own(id);
    if (own?.instance.incarnation !== incarnation) return;
    await this.#ok({ method: 'PUT', path: `/v1/agent/service/deregister/${encodeURIComponent(id)}` });
  }

  /** `GET /v1/health/service/:name?passing`. */
  async find(name: string, signal?: AbortSignal): Promise<ServiceList> {
    return this.#list(name, '', { signal });
  }

  /** The same as a blocking query after an index. */
  async follow(name: string, revision: string, signal: AbortSignal): Promise<ServiceList> {
    const query = `&index=${revision === '' ? '0' : revision}&wait=${waitSeconds}s`;
    const timeoutMs = waitSeconds * (1 + 1 / 16) * 1000 + 5000;
    const list = await this.#list(name, query, { signal, timeoutMs, isLong: true });
    // An index that went back (a restored snapshot, another cluster) begins anew, and 0 would not block.
    const isReset = Number(list.revision) < Number(revision) || Number(list.revision) < 1;
    return isReset ? { ...list, revision: '' } : list;
  }

  async #list(name: string, query: string, more: Partial<Call>): Promise<ServiceList> {
    const path = `/v1/health/service/${name}?passing=1${this.#scope}${query}`;
    const { response, body } = await this.#ok({ method: 'GET', path, ...more });
    const entries: unknown = body;
    if (!Array.isArray(entries)) throw malformed('GET /v1/health/service/:name');
    return {
      instances: readHealth(name, entries),
      revision: response.headers.get('x-consul-index') ?? '',
      position: undefined,
    };
  }

  /** The service as the agent has it; undefined when it has none of this id. */
  async #own(id: string, signal?: AbortSignal): Promise<ConsulService | undefined> {
    const path = `/v1/agent/service/${encodeURIComponent(id)}`;
    const answer = await this.#wire.call({ method: 'GET', path, signal });
    if (answer.response.status === 404) return undefined;
    if (!answer.response.ok) throw refused('service/:id', answer);
    return agentService(answer.body);
  }

  async #ok(call: Call): Promise<Answer> {
    const answer = await this.#wire.call(call);
    if (!answer.response.ok) throw refused(`${call.method} ${call.path}`, answer);
    return answer;
  }
}

function consulUrl({ protocol, hostname, port, pathname }: URL): string {
  const scheme = protocol.startsWith('consul+') ? 'https' : 'http';
  return `${scheme}://${hostname === '' ? 'localhost' : hostname}:${port === '' ? '8500' : port}${pathname.replace(/\/+$/, '')}`;
}

/** Consul explains itself in plain text. */
function refused(call: string, { response, text }: Answer): DiscoveryError {
  return refusal(call, response, { detail: text.trim().slice(0, 200) });
}

function unknownInstance(status: 404 | 409): DiscoveryError {
  const what = status === 404 ? 'has no such service' : 'has another process under this id';
  return new DiscoveryError('ERR_DISCOVERY_REJECTED', `heartbeat: the agent ${what}`, { status });
}
