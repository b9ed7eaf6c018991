import type { RouteCors } from '../auth/cors.ts';
import type { ClientSinkSettings } from '../forward/client-sink.ts';
import type { Forward, Stage } from '../passage.ts';
import type { CompiledRules } from '../routing/header-rules.ts';
import type { Route } from '../routing/route-schema.ts';
import type { Split } from '../routing/split.ts';

type Policy<K extends 'auth' | 'rateLimit' | 'cache'> = Exclude<NonNullable<Route[K]>, false>;

/** What a gateway has to offer to its routes. A route that names a policy that is missing here is refused, never served without it. */
export interface RoutePolicies {
  /** Keeps the gateway from too much; for every route, by its priority. Default: nothing is shed. */
  readonly overload?: { stage(priority: 'critical' | 'normal' | 'low'): Stage };
  /** Makes the stage for a route's `auth`. */
  readonly auth?: (rules: Policy<'auth'>) => Stage;
  /** Makes a stage for a route's `rateLimit`; where the route has `auth`, one for the limits before it and one for those after it. */
  readonly rateLimit?: (rules: Policy<'rateLimit'>) => Stage;
  /** Answers from memory in the place of `next`, by a route's `cache`. */
  readonly cache?: { around(rules: Policy<'cache'>, next: Forward): Forward };
}

/** One of the ways that a route's requests may take: the only one, or a branch of its split. */
export interface Way {
  /** Name of the branch; undefined when the route has no split. */
  readonly name: string | undefined;
  /** undefined: the path names the service. */
  readonly service: string | undefined;
  /** What the metadata of the instance must say. */
  readonly where: Readonly<Record<string, string>> | undefined;
  readonly forward: Forward;
}

/** One step of a route, as `explain` tells it. */
export interface Step {
  readonly name: 'cors' | 'overload' | 'auth' | 'rateLimit' | 'cache' | 'forward';
  /** What the route says to it. */
  readonly settings: unknown;
  /** Its check; undefined for what carries the request. */
  readonly stage: Stage | undefined;
}

/** A route that is ready for requests. It lives as long as its configuration stays the same, and what it has counted with it. */
export interface Lane {
  readonly route: Route;
  readonly steps: readonly Step[];
  readonly stages: readonly Stage[];
  /** What pages of other origins may do; undefined: that is the app's or the instance's to say. */
  readonly cors: RouteCors | undefined;
  readonly split: Split | undefined;
  /** The only way, or one for each branch, in the order of the split. */
  readonly ways: readonly [Way, ...Way[]];
  readonly requestRules: CompiledRules | undefined;
  readonly answer: ClientSinkSettings;
}
