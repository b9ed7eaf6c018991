import type { Timers } from '@mesh/discovery-client';
import { integerOption } from './options.ts';
import { platformTimers } from './platform-timers.ts';
import type { HeartbeatRequest, InstanceIdentity } from './registration.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { encodeEvent } from './server-sent-event.ts';
import type { WatchStream } from './watcher.ts';

/** Options of a {@link SessionHub}. */
export interface SessionHubOptions {
  /** The most sessions at once; the next one is refused with `ERR_UNAVAILABLE`. Default 100 000. */
  readonly maximumSessions?: number;
  /** Milliseconds between two pings, which find out connections that broke without a word. Default 10 000. */
  readonly pingIntervalMs?: number;
  /** Default: the platform's timers, which do not keep the process alive. */
  readonly timers?: Timers | undefined;
}

/** Why the registry ends a session. */
export type SessionEnd = 'replaced' | 'removed' | 'superseded' | 'shutdown';

/** Bytes of pings that an instance has not read: it hangs, or its connection does. */
const maximumUnread = 16_384;

interface Session {
  readonly identity: InstanceIdentity;
  readonly stream: WatchStream;
}

/**
 * Streams that instances hold open. The kernel closes one when its process dies, so the registry learns of a kill in
 * milliseconds where a lease takes many heartbeats.
 */
export class SessionHub {
  readonly #registry: Registry;
  readonly #maximumSessions: number;
  readonly #pingIntervalMs: number;
  readonly #timers: Timers;
  readonly #onLost: (identity: InstanceIdentity, isBack: () => boolean) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #unsubscribe: () => void;
  #timer: unknown;
  #isClosed = false;

  /**
   * @param onLost is told of a session that broke without a goodbye.
   * @throws RangeError naming an option that is out of range.
   */
  constructor(
    registry: Registry,
    onLost: (identity: InstanceIdentity, isBack: () => boolean) => void,
    options: SessionHubOptions = {},
  ) {
    const { maximumSessions = 100_000, pingIntervalMs = 10_000, timers = platformTimers } = options;
    this.#registry = registry;
    this.#onLost = onLost;
    this.#maximumSessions = integerOption('sessionHub: maximumSessions', maximumSessions, 0, 1_000_000);
    this.#pingIntervalMs = integerOption('sessionHub: pingIntervalMs', pingIntervalMs, 10, 3_600_000);
    this.#timers = timers;
    this.#unsubscribe = registry.subscribe((change) => {
      if (this.#sessions.size === 0) return;
      const isThere = change.type === 'upsert';
      const id = isThere ? change.instance.id : change.id;
      const session = this.#sessions.get(`${change.service} ${id}`);
      if (session === undefined) return;
      if (!isThere) this.#end(session, change.reason === 'replaced' ? 'replaced' : 'removed');
      else if (change.instance.incarnation !== session.identity.incarnation) this.#end(session, 'replaced');
    });
  }

  /** Number of open sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** @throws RegistryError `ERR_UNAVAILABLE` when there is no room for another one. */
  reserve(): void {
    if (this.#isClosed) throw new RegistryError('ERR_UNAVAILABLE', 'the registry is closing', 1000);
    if (this.#sessions.size < this.#maximumSessions) return;
    throw new RegistryError('ERR_UNAVAILABLE', `there are ${this.#maximumSessions} sessions already`, 30_000);
  }

  /**
   * Opens the session of an instance; it counts as a heartbeat. A former one of the same instance is ended.
   *
   * @returns a function to call when the stream is closed.
   * @throws RegistryError as a heartbeat does, and `ERR_UNAVAILABLE` when there is no room.
   */
  open(stream: WatchStream, request: HeartbeatRequest): () => void {
    this.reserve();
    const renewal = this.#registry.heartbeat(request);
    const session = { identity: this.#registry.identify(request), stream };
    const former = this.#sessions.get(keyOf(session.identity));
    if (former !== undefined) this.#end(former, 'superseded');
    this.#sessions.set(keyOf(session.identity), session);
    stream.write(encodeEvent('open', renewal));
    if (this.#sessions.size === 1) this.#schedulePing();
    return () => {
      this.#closed(session);
    };
  }

  /** Whether this very run of an instance holds a session. */
  has(identity: InstanceIdentity): boolean {
    return this.#sessions.get(keyOf(identity))?.identity.incarnation === identity.incarnation;
  }

  /** Ends all sessions, for good; that is no death of anybody. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const session of [...this.#sessions.values()]) this.#end(session, 'shutdown');
    this.#timers.clear(this.#timer);
  }

  #closed(session: Session): void {
    const { identity } = session;
    if (this.#sessions.get(keyOf(identity)) !== session) return;
    this.#sessions.delete(keyOf(identity));
    this.#onLost(identity, () => this.has(identity));
  }

  #end(session: Session, reason: SessionEnd): void {
    this.#sessions.delete(keyOf(session.identity));
    session.stream.write(encodeEvent('close', { reason }));
    session.stream.end();
  }

  #schedulePing(): void {
    this.#timer = this.#timers.set(() => {
      const ping = encodeEvent('ping', {});
      for (const { stream } of this.#sessions.values()) {
        if (stream.writableLength > maximumUnread) stream.destroy();
        else stream.write(ping);
      }
      if (this.#sessions.size > 0) this.#schedulePing();
    }, this.#pingIntervalMs);
  }
}

function keyOf({ service, id }: InstanceIdentity): string {
  return `${service} ${id}`;
}
