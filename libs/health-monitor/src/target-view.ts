import type { AnomalyView } from './anomaly.ts';
import type { LatencySummary, LatencyWindow } from './latency-series.ts';
import type { Outcomes, Window } from './outcome-series.ts';
import type { TargetStatus } from './standing.ts';

/** A target as rules, dashboards and listeners see it. Everything is read at the moment of the call. */
export interface TargetView {
  readonly id: string;
  /** What it is an instance of; its own id when nobody said. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: TargetStatus;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
  /** What the last check said. */
  readonly message: string | undefined;
  /** 0 calm to 1 restless, as Nagios measures it. */
  readonly flapRatio: number;
  readonly anomaly: AnomalyView;
  /** The other targets of its service. */
  readonly siblings: readonly TargetView[];
  window(window: Window): Outcomes;
  /** Any span of up to 30 days, in milliseconds. */
  over(spanMs: number): Outcomes;
  latency(window: LatencyWindow): LatencySummary;
  /** The latency below which the part `ratio` (0 to 1) of the samples lies; undefined without samples. */
  quantile(window: LatencyWindow, ratio: number): number | undefined;
  /** The slots of a window, oldest first. */
  history(window: Window): readonly Outcomes[];
}
