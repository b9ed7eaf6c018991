import { randomUUID } from 'node:crypto';
import { createClient } from '@redis/client';
import type { Change } from './change-log.ts';
import { integerOption } from './options.ts';
import type { StoredOverride } from './overrides.ts';
import { platformTimers } from './platform-timers.ts';
import type { InstanceIdentity } from './registration.ts';
import type { Registry } from './registry.ts';
import { StoreHealth } from './registry-store.ts';
import type { RegistryStore, StoreListener } from './registry-store.ts';
import type { StoredInstance } from './stored-instance.ts';
import { readMessage } from './store-message.ts';
import type { StoreMessage } from './store-message.ts';
import { TimeSlice } from './time-slice.ts';

/** Options of a {@link RedisStore}. */
export interface RedisStoreOptions {
  /** Begins all keys, so that several meshes share one Redis. Default `mesh:discovery:`. */
  readonly prefix?: string;
  /** Milliseconds within which heartbeats are told to the other servers, all in one message. Default 250. */
  readonly beatIntervalMs?: number;
  /** Milliseconds that a start waits for Redis before it goes on without. Default 2000. */
  readonly connectTimeoutMs?: number;
  /** Hears that Redis is gone, and when it is back. The registry goes on. */
  readonly onTrouble?: StoreListener;
}

type Redis = ReturnType<typeof createClient>;

/** Longest pause between two tries to connect. */
const reconnectMs = 1000;

/** Entries that are read at once. */
const scanCount = 500;

/**
 * Several discovery servers on one Redis: each holds everything in memory, answers from there, and tells the others what
 * changes. Any of them may die, its instances beat at another one.
 *
 * An instance is a field of a hash, and each write is published in the same transaction, so all servers hear of writes in
 * the order in which Redis made them; the last one wins everywhere. Heartbeats are only published. A server that
 * has lost Redis removes nobody that others may hear.
 */
export class RedisStore implements RegistryStore {
  readonly #client: Redis;
  readonly #subscriber: Redis;
  readonly #keys: { readonly instances: string; readonly overrides: string; readonly channel: string };
  readonly #beatIntervalMs: number;
  readonly #connectTimeoutMs: number;
  readonly #health: StoreHealth;
  /** Tells this server's messages from the others'. */
  readonly #self = randomUUID();
  readonly #beats = new Map<string, InstanceIdentity>();
  /** Writes that are on their way, by instance: what others wrote before them is overtaken already. */
  readonly #pending = new Map<string, number>();
  #registry: Registry | undefined;
  #unsubscribe: (() => void)[] = [];
  #held: StoreMessage[] | undefined = [];
  #isApplying = false;
  #isSubscribed = false;
  #isSynchronizing = false;
  #isConnected = false;
  #isClosed = false;
  #timer: unknown;

  /** @throws RangeError naming an option that is out of range. */
  constructor(url: string, options: RedisStoreOptions = {}) {
    const { prefix = 'mesh:discovery:', beatIntervalMs = 250, connectTimeoutMs = 2000 } = options;
    this.#beatIntervalMs = integerOption('redisStore: beatIntervalMs', beatIntervalMs, 10, 1500);
    this.#connectTimeoutMs = integerOption('redisStore: connectTimeoutMs', connectTimeoutMs, 0, 600_000);
    this.#keys = {
      instances: `${prefix}instances`,
      overrides: `${prefix}overrides`,
      channel: `${prefix}changes`,
    };
    this.#health = new StoreHealth(options.onTrouble);
    this.#client = createClient({
      url,
      // What cannot be written now is written by the synchronization that follows a reconnect.
      disableOfflineQueue: true,
      socket: { reconnectStrategy: (tries) => Math.min(reconnectMs, 50 * 2 ** Math.min(tries, 5)) },
    });
    this.#subscriber = this.#client.duplicate({ disableOfflineQueue: false });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  async attach(registry: Registry): Promise<void> {
    this.#registry = registry;
    this.#unsubscribe = [
      registry.subscribe((change) => {
        this.#tell(change);
      }),
      registry.onOverride((override) => {
        this.#tellOverride(override);
      }),
      registry.onBeat(({ identity }) => this.#beats.set(`${identity.service} ${identity.id}`, identity)),
      // Others hear this instance, and cannot say so now.
      registry.judgeLeases((record) => (record.isOurs || this.#isConnected ? undefined : 'wait')),
    ];
    for (const redis of [this.#client, this.#subscriber]) {
      redis.on('error', this.#lost).on('end', this.#lost);
      redis.on('ready', () => {
        void this.#synchronize();
      });
    }
    this.#scheduleBeats();
    const connected = Promise.all([this.#client.connect(), this.#subscriber.connect()])
      // A subscription is made again by the client itself, before it is ready again.
      .then(() => this.#subscriber.subscribe(this.#keys.channel, this.#hear))
      .then(() => {
        this.#isSubscribed = true;
        return this.#synchronize();
      })
      .catch(this.#lost);
    await Promise.race([
      connected,
      new Promise((resolve) => setTimeout(resolve, this.#connectTimeoutMs).unref()),
    ]);
  }

  async close(): Promise<void> {
    await this.#sendBeats();
    this.#isClosed = true;
    this.#isConnected = false;
    for (const end of this.#unsubscribe) end();
    platformTimers.clear(this.#timer);
    for (const redis of [this.#subscriber, this.#client]) {
      if (redis.isReady) await redis.close().catch(() => undefined);
      else if (redis.isOpen) redis.destroy();
    }
  }

  readonly #lost = (error?: unknown): void => {
    if (this.#isClosed) return;
    this.#isConnected = false;
    // What comes until the next synchronization is applied after it.
    this.#held ??= [];
    this.#health.failed(error ?? new Error('Redis is gone'));
  };

  /** Takes everything from Redis, then what was told meanwhile; and gives what only this server has. */
  async #synchronize(): Promise<void> {
    const registry = this.#registry;
    const areReady = this.#isSubscribed && this.#client.isReady && this.#subscriber.isReady;
    if (registry === undefined || this.#isClosed || !areReady || this.#isSynchronizing) return;
    this.#isSynchronizing = true;
    try {
      this.#held ??= [];
      this.#pending.clear();
      const known = await this.#load(registry);
      this.#isConnected = true;
      for (const message of this.#held.splice(0)) this.#apply(message);
      this.#held = undefined;
      for (const stored of [...registry.stored()]) {
        if (!known.has(fieldOf(stored))) this.#put(stored);
      }
      this.#health.succeeded();
    } catch (error) {
      this.#lost(error);
    } finally {
      this.#isSynchronizing = false;
    }
  }

  /** @returns what Redis had. */
  async #load(registry: Registry): Promise<Set<string>> {
    const slice = new TimeSlice();
    const known = new Set<string>();
    for await (const entries of this.#client.hScanIterator(this.#keys.overrides, { COUNT: scanCount })) {
      for (const { value } of entries) this.#apply(readMessage(`{"type":"override","override":${value}}`));
    }
    for await (const entries of this.#client.hScanIterator(this.#keys.instances, { COUNT: scanCount })) {
      for (const { field, value } of entries) {
        known.add(field);
        const message = readMessage(`{"type":"put","stored":${value}}`);
        // Who beats here is known better here.
        if (message?.type === 'put' && !isHeardHere(registry, message.stored)) this.#apply(message);
        if (slice.isOver) await slice.pause();
      }
    }
    return known;
  }

  #tell(change: Change): void {
    if (this.#isApplying || !this.#isConnected) return;
    if (change.type === 'remove') {
      const { service, id, reason } = change;
      const field = `${service} ${id}`;
      const message = JSON.stringify({ from: this.#self, type: 'remove', service, id, reason });
      const { instances, channel } = this.#keys;
      this.#write(field, () => this.#client.multi().hDel(instances, field).publish(channel, message).exec());
      return;
    }
    const stored = this.#registry?.storedInstance(change.service, change.instance.id);
    if (stored !== undefined) this.#put(stored);
  }

  #put(stored: StoredInstance): void {
    const field = fieldOf(stored);
    const value = JSON.stringify(stored);
    const message = `{"from":"${this.#self}","type":"put","stored":${value}}`;
    const { instances, channel } = this.#keys;
    this.#write(field, () =>
      this.#client.multi().hSet(instances, field, value).publish(channel, message).exec(),
    );
  }

  #tellOverride(override: StoredOverride): void {
    if (this.#isApplying || !this.#isConnected) return;
    const { service, id, ...rest } = override;
    const field = `${service} ${id}`;
    const { overrides, channel } = this.#keys;
    const message = JSON.stringify({ from: this.#self, type: 'override', override });
    const isVoid = Object.keys(rest).length === 0;
    this.#write(undefined, () => {
      const writes = this.#client.multi();
      const written = isVoid
        ? writes.hDel(overrides, field)
        : writes.hSet(overrides, field, JSON.stringify(override));
      return written.publish(channel, message).exec();
    });
  }

  #write(field: string | undefined, send: () => Promise<unknown>): void {
    if (field !== undefined) this.#pending.set(field, (this.#pending.get(field) ?? 0) + 1);
    send().catch(this.#lost);
  }

  readonly #hear = (text: string): void => {
    const message = readMessage(text);
    if (message === undefined) return;
    if (message.from === this.#self) this.#arrived(message);
    else if (this.#held === undefined) this.#apply(message);
    else this.#held.push(message);
  };

  /** A write of ours came back: in the order of Redis, whatever comes from now on is newer. */
  #arrived(message: StoreMessage): void {
    if (message.type !== 'put' && message.type !== 'remove') return;
    const field = message.type === 'put' ? fieldOf(message.stored) : `${message.service} ${message.id}`;
    const left = (this.#pending.get(field) ?? 1) - 1;
    if (left > 0) this.#pending.set(field, left);
    else this.#pending.delete(field);
  }

  #apply(message: StoreMessage | undefined): void {
    if (message === undefined || this.#registry === undefined) return;
    this.#isApplying = true;
    try {
      this.#applyTo(this.#registry, message);
    } finally {
      this.#isApplying = false;
    }
  }

  #applyTo(registry: Registry, message: StoreMessage): void {
    switch (message.type) {
      case 'put':
        if (!this.#pending.has(fieldOf(message.stored))) registry.adopt(message.stored, false);
        return;
      case 'remove': {
        const { service, id, reason } = message;
        const instance = this.#pending.has(`${service} ${id}`)
          ? undefined
          : registry.storedInstance(service, id)?.instance;
        if (instance !== undefined)
          registry.remove({ service, id, incarnation: instance.incarnation }, reason);
        return;
      }
      case 'override': {
        const { service, id, status = null, weight = null } = message.override;
        registry.override(service, id, { status, weight });
        return;
      }
      case 'beats':
        for (const [service, id, incarnation] of message.beats) {
          registry.vouch({ service, id, incarnation }, false);
        }
    }
  }

  #scheduleBeats(): void {
    this.#timer = platformTimers.set(() => {
      void this.#sendBeats();
      if (!this.#isClosed) this.#scheduleBeats();
    }, this.#beatIntervalMs);
  }

  async #sendBeats(): Promise<void> {
    if (this.#beats.size === 0 || !this.#isConnected) return;
    const beats = Array.from(this.#beats.values(), ({ service, id, incarnation }) => [
      service,
      id,
      incarnation,
    ]);
    this.#beats.clear();
    const message = JSON.stringify({ from: this.#self, type: 'beats', beats });
    await this.#client.publish(this.#keys.channel, message).catch(this.#lost);
  }
}

function fieldOf({ instance }: StoredInstance): string {
  const { name, namespace, id } = instance;
  return `${namespace === undefined ? name : `${namespace}/${name}`} ${id}`;
}

function isHeardHere(registry: Registry, stored: StoredInstance): boolean {
  const [service, id] = fieldOf(stored).split(' ') as [string, string];
  return registry.isOurs({ service, id, incarnation: stored.instance.incarnation });
}
