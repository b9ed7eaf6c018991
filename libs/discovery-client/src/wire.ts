import type { DiscoverySettings } from './discovery-client-options.ts';
import { DiscoveryError } from './discovery-error.ts';
import { parseObject, readText } from './registry-answer.ts';

/** One question to the registry. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
  /** Default `requestTimeout`, and never more than that unless `isLong`. */
  readonly timeoutMs?: number;
  /** The registry may hold its answer back on purpose (a blocking query). */
  readonly isLong?: boolean;
}

/** An answer, read to its end. */
export interface Answer {
  readonly response: Response;
  readonly text: string;
  /** The object in `text`, if it is one. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

type FetchInit = Omit<RequestInit, 'headers'> & { headers?: Readonly<Record<string, string>> };

/** Asks one server; ends when the signal of `attempt` does. */
type Ask<T> = (server: string, attempt: AbortController) => Promise<T>;

/**
 * HTTP to one registry behind one or several servers. A server that does not answer is left for the next one, within the
 * time of the same call; whichever answered last is asked first. Failures are `DiscoveryError`s.
 */
export class Wire {
  readonly #settings: DiscoverySettings;
  readonly #servers: readonly string[];
  readonly #onConnected: () => void;
  #current: number;
  #status: 'connected' | 'disconnected' = 'disconnected';

  /** @param servers Base addresses, at least one. Clients begin at different ones. */
  constructor(settings: DiscoverySettings, servers: readonly string[], onConnected: () => void) {
    this.#settings = settings;
    this.#servers = servers;
    this.#onConnected = onConnected;
    this.#current = servers.length === 1 ? 0 : Math.floor(settings.random() * servers.length);
  }

  /** Whether the last call was answered. */
  get status(): 'connected' | 'disconnected' {
    return this.#status;
  }

  /** The server that is asked first. */
  get server(): string {
    return this.#servers[this.#current] ?? '';
  }

  /** Asks and reads the whole answer, whatever its status. */
  call(call: Call): Promise<Answer> {
    const { method, path } = call;
    const limitMs = this.#settings.requestTimeoutMs;
    const timeoutMs = Math.min(call.timeoutMs ?? limitMs, call.isLong === true ? Infinity : limitMs);
    // A call that may take minutes must not hold the process meanwhile.
    const via = call.isLong === true ? this.#settings.openStream : this.#settings.fetch;
    const init = asInit(call, {});
    return this.#failOver(`${method} ${path}`, call.signal, timeoutMs, async (server, { signal }) => {
      const response = await this.#fetch(via, server + path, { ...init, signal });
      const text = await readText(response);
      return { response, text, body: parseObject(text) };
    });
  }

  /**
   * Opens a stream: resolves at the headers, within `requestTimeout`. From then on it lives until `connection` is aborted,
   * and where the platform allows, it does not keep the process alive.
   */
  async open(
    call: Call,
    headers: Readonly<Record<string, string>>,
    connection: AbortSignal,
  ): Promise<Response> {
    const { requestTimeoutMs, openStream } = this.#settings;
    const name = `${call.method} ${call.path.replace(/\?.*/, '')}`;
    const { response } = await this.#failOver(name, connection, requestTimeoutMs, async (server, attempt) => {
      // The stream outlives this attempt: it ends with the connection.
      connection.addEventListener('abort', () => {
        attempt.abort(connection.reason);
      });
      const init = { ...asInit(call, headers), signal: attempt.signal };
      return { response: await this.#fetch(openStream, server + call.path, init) };
    });
    return response;
  }

  /** Tries the servers in turn, each for an equal share of the time, until one answers. */
  async #failOver<T extends { readonly response: Response }>(
    name: string,
    caller: AbortSignal | undefined,
    timeoutMs: number,
    ask: Ask<T>,
  ): Promise<T> {
    const count = this.#servers.length;
    for (let left = count; ; left -= 1) {
      const index = this.#current;
      const server = this.server;
      try {
        const answer = await this.#attempt(name, caller, timeoutMs / count, (attempt) =>
          ask(server, attempt),
        );
        if (left === 1 || !isElsewhere(answer.response)) return answer;
        answer.response.body?.cancel().catch(() => undefined);
      } catch (error) {
        if (left === 1 || caller?.aborted === true || !(error instanceof DiscoveryError)) throw error;
      }
      // Another call may have moved on already.
      if (this.#current === index) this.#current = (index + 1) % count;
    }
  }

  async #attempt<T>(
    name: string,
    caller: AbortSignal | undefined,
    timeoutMs: number,
    ask: (attempt: AbortController) => Promise<T>,
  ): Promise<T> {
    const { timers } = this.#settings;
    const attempt = new AbortController();
    const abort = (): void => {
      attempt.abort(caller?.reason);
    };
    const timer = timers.set(() => {
      attempt.abort(timeout(name, timeoutMs));
    }, timeoutMs);
    if (caller?.aborted === true) abort();
    caller?.addEventListener('abort', abort, { once: true });
    try {
      return await ask(attempt);
    } catch (error) {
      throw this.#failure(name, error, attempt.signal);
    } finally {
      timers.clear(timer);
      caller?.removeEventListener('abort', abort);
    }
  }

  async #fetch(via: typeof fetch, url: string, init: FetchInit): Promise<Response> {
    const { token } = this.#settings;
    const headers = { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const response = await via(url, { ...init, headers, redirect: 'error' });
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

function asInit({ method, body }: Call, headers: Readonly<Record<string, string>>): FetchInit {
  if (body === undefined) return { method, headers };
  return { method, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** Another server of the same registry may do better: this one is away, or full. */
function isElsewhere({ status }: Response): boolean {
  return status === 502 || status === 503 || status === 504;
}

function timeout(call: string, timeoutMs: number): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${call}: no answer within ${timeoutMs} ms`);
}
