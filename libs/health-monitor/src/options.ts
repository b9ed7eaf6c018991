import type { AlertStore } from './alert-store.ts';
import { memoryStore } from './alert-store.ts';
import { platformClock, platformTimers, type Clock, type Timers } from './clock.ts';
import { readMaintenance, type Maintenance } from './maintenance.ts';
import type { NoticeOptions } from './notices.ts';
import { count, delay, duration } from './range.ts';
import type { AlertRule } from './rule.ts';
import { severity } from './severity.ts';
import type { Sink } from './sink.ts';
import { degradedRule, downRule, flappingRule } from './status-rule.ts';
import { uniqueRules, type Target } from './target.ts';
import { readTiming, type Timing } from './timing.ts';
import { anomalyRule } from './trend-rules.ts';

/** Options of a health monitor. */
export interface HealthMonitorOptions {
  /** What is watched from the beginning. Default: nothing. */
  readonly targets?: readonly Target[];
  /** For targets that say nothing else. */
  readonly defaults?: Timing;
  /** For all targets. Default: `downRule()`, `degradedRule()`, `flappingRule()`, `anomalyRule()`. */
  readonly rules?: readonly AlertRule[];
  /** Who is told. Default: nobody. */
  readonly sinks?: readonly Sink[];
  /** Where alerts live on. Default: nowhere. */
  readonly store?: AlertStore;
  readonly notices?: NoticeOptions;
  readonly maintenance?: readonly Maintenance[];
  /** Checks that run at the same time. Default 256. */
  readonly concurrency?: number;
  /** Checks of targets that were slow the last time, beside those. Default 256. */
  readonly slowConcurrency?: number;
  /** Most checks in a second of targets that are what they were: of a larger crowd each is asked less often. Default 3000, which is 30 000 targets at 10 s. */
  readonly checksPerSecond?: number;
  /** What takes longer is slow, in milliseconds. Default 250. */
  readonly lingerMs?: number;
  /** When the process stands still for so long, checks under way say nothing bad, in milliseconds. Default 250. */
  readonly stallMs?: number;
  /** Longest that a sink may take for one notice, in milliseconds. Default 10 000. */
  readonly deliveryTimeoutMs?: number;
  /** Deliveries of one notice to one sink, before it is given up. Default 8, which takes about four minutes. */
  readonly deliveryAttempts?: number;
  /** Milliseconds since 1970, never backwards. Default: the platform's monotonic clock. */
  readonly clock?: Clock;
  /** Default: the platform's. */
  readonly timers?: Timers;
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Options of a health monitor, complete and checked. */
export interface ReadOptions extends Required<
  Omit<HealthMonitorOptions, 'notices' | 'defaults' | 'targets'>
> {
  readonly defaults: Timing;
  readonly notices: Required<NoticeOptions>;
}

/** @throws RangeError naming the option and its value. */
export function readOptions(options: HealthMonitorOptions): ReadOptions {
  const { rules = [downRule(), degradedRule(), flappingRule(), anomalyRule()] } = options;
  readTiming(options.defaults ?? {});
  return {
    defaults: { ...options.defaults },
    rules: uniqueRules(rules),
    sinks: readSinks(options.sinks ?? []),
    store: options.store ?? memoryStore(),
    notices: readNotices(options.notices ?? {}),
    maintenance: (options.maintenance ?? []).map(readMaintenance),
    concurrency: count('concurrency', options.concurrency ?? 256),
    slowConcurrency: count('slowConcurrency', options.slowConcurrency ?? 256),
    checksPerSecond: count('checksPerSecond', options.checksPerSecond ?? 3000),
    lingerMs: duration('lingerMs', options.lingerMs ?? 250),
    stallMs: duration('stallMs', options.stallMs ?? 250),
    deliveryTimeoutMs: duration('deliveryTimeoutMs', options.deliveryTimeoutMs ?? 10_000),
    deliveryAttempts: count('deliveryAttempts', options.deliveryAttempts ?? 8),
    clock: options.clock ?? platformClock,
    timers: options.timers ?? platformTimers,
    random: options.random ?? Math.random,
  };
}

function readNotices(notices: NoticeOptions): Required<NoticeOptions> {
  return {
    groupWaitMs: delay('groupWaitMs', notices.groupWaitMs ?? 30_000),
    groupIntervalMs: delay('groupIntervalMs', notices.groupIntervalMs ?? 300_000),
    repeatMs: duration('repeatMs', notices.repeatMs ?? 14_400_000),
    groupBy: notices.groupBy ?? (({ service }) => service),
  };
}

function readSinks(sinks: readonly Sink[]): readonly Sink[] {
  for (const sink of sinks) severity('minimumSeverity', sink.minimumSeverity ?? 'info');
  const names = sinks.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return [...sinks];
  throw new RangeError(`healthMonitor: the name of a sink must be unique, got ${twice} twice`);
}
