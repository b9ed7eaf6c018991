/** The child's side of a contender: listens, says where, answers questions about itself, and ends with its parent. */
import { Session, type Profiler } from 'node:inspector/promises';

/** What a process has used since it started. */
export interface Usage {
  /** User and system time of all threads, in microseconds. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export interface Listening {
  readonly port: number;
  /** Where the paths of the instances begin here. Default: at the root. */
  readonly base?: string;
  /** Path below `base` that is answered from a cache. Default: there is none. */
  readonly cached?: string;
  /** Default: the usage of this process. */
  readonly usage?: () => Usage;
  /** What a soak watches beside memory and handles. */
  readonly vitals?: () => Readonly<Record<string, number>>;
  /** Ends what this process started. */
  readonly close?: () => Promise<void>;
}

/** What a contender says of itself when it listens. */
export type Announcement = Omit<Listening, 'usage' | 'vitals' | 'close'>;

export type Question = 'usage' | 'vitals' | 'start-profile' | 'stop-profile' | 'end';

function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

/** Memory that is held after a collection, and what would keep the process. */
function ownVitals(): Readonly<Record<string, number>> {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo();
  return {
    heapMB: heapUsed / 1e6,
    externalMB: external / 1e6,
    otherHandles: handles.filter((name) => !/^(TCPSocketWrap|Timeout|Immediate)$/.test(name)).length,
  };
}

/** Origins of the instances, as `http://127.0.0.1:4000`. */
export type Listen = (instances: readonly string[]) => Promise<Listening>;

export async function contend(listen: Listen): Promise<void> {
  const { usage = ownUsage, vitals, close, ...announcement } = await listen(process.argv.slice(2));
  const end = async (): Promise<void> => {
    await close?.();
    process.exit();
  };
  process.on('disconnect', () => void end());
  const profile = profiler();
  process.on('message', (question: Question) => {
    if (question === 'end') void end();
    if (question === 'usage') process.send?.({ usage: usage() });
    if (question === 'vitals') process.send?.({ vitals: { ...ownVitals(), ...vitals?.() } });
    if (question === 'start-profile') void profile.start().then(() => process.send?.({}));
    if (question === 'stop-profile') void profile.stop().then((profile) => process.send?.({ profile }));
  });
  process.send?.(announcement satisfies Announcement);
}

/** A CPU profile of what runs between two questions: no start-up in it. */
function profiler() {
  const session = new Session();
  return {
    async start(): Promise<void> {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 250 });
      await session.post('Profiler.start');
    },
    async stop(): Promise<Profiler.Profile> {
      const { profile } = await session.post('Profiler.stop');
      session.disconnect();
      return profile;
    },
  };
}

/** Hands out the instances in turn. */
export function inTurn<T>(instances: readonly T[]): () => T {
  let turn = 0;
  return () => {
    turn = (turn + 1) % instances.length;
    return instances[turn] as T;
  };
}

/** How many connections a proxy may keep to the instances, for those that have to be told. */
export const maxConnections = 128;
