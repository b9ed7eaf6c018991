import { withHeaderRules, withOutcome } from './answer-taps.ts';
import type { Engine } from './engine.ts';
import type { Lane, RoutePolicies, Step, Way } from './lane.ts';
import type { Forward, Stage } from '../passage.ts';
import { compileRules } from '../routing/header-rules.ts';
import type { Branch, Route } from '../routing/route-schema.ts';
import { Split } from '../routing/split.ts';
import { SplitGuard, type RolledBack } from '../routing/split-guard.ts';
import { wishesOf } from './wishes.ts';

/** What all routes of a gateway are made of. */
export interface Kit {
  readonly engine: Engine;
  readonly policies: RoutePolicies;
  readonly onRollback: (route: string, rolledBack: RolledBack) => void;
}

/**
 * The one place where a route is put together: what happens to its requests, in this order. A policy that the route does not have takes no
 * place in it, and so costs nothing.
 *
 * @throws RangeError when the gateway does not have a policy that the route names, or the policy does not like its settings.
 */
export function assemble(route: Route, { engine, policies, onRollback }: Kit): Lane {
  const stages: Stage[] = [];
  const steps: Step[] = [];
  const add = (name: Step['name'], settings: unknown, stage?: Stage): void => {
    steps.push({ name, settings });
    if (stage !== undefined) stages.push(stage);
  };

  // First of all, whether there is room: what is shed must cost less than anything that follows. (Before it only the match.)
  if (policies.overload !== undefined) {
    const priority = route.priority ?? 'normal';
    add('overload', { priority }, policies.overload.stage(priority));
  }
  // Who it is, before what depends on it: limits count by identity, and a cache must not answer who may not ask.
  if (route.auth) add('auth', route.auth, policy('auth', policies.auth)(route.auth));
  // How often: after the identity is known, before the cache, so that hits count too (they also cost something).
  if (route.rateLimit) {
    add('rateLimit', route.rateLimit, policy('rateLimit', policies.rateLimit)(route.rateLimit));
  }
  // From memory: last before the wire. What it holds is what the instance said; rules for the client's eyes come after it.
  const { cache } = route;
  if (cache) add('cache', cache);
  const caching = cache ? policy('cache', policies.cache) : undefined;
  // To an instance: balancing, breaker, retries and deadline are the client's, by the wishes of the route.
  add('forward', forwardSettings(route));
  const responseRules = compileRules(route.responseHeaders);

  const split = route.split && new Split(route.split, route.sticky);
  const watch = split && watchSplit(route, split, onRollback);
  const wayOf = (branch?: Branch, name?: string): Way => {
    let forward: Forward = engine.forwardTo(route, wishesOf(route, branch?.where));
    if (watch !== undefined && name !== undefined) forward = withOutcome(watch(name), forward);
    if (cache && caching !== undefined) forward = caching.around(cache, forward);
    if (responseRules !== undefined) forward = withHeaderRules(responseRules, forward);
    const service = branch?.service ?? route.service;
    return { name, service: service === '*' ? undefined : service, where: branch?.where, forward };
  };
  const [first, ...others] = split?.branches.map(({ branch, name }) => wayOf(branch, name)) ?? [];
  return {
    route,
    steps,
    stages,
    split,
    ways: [first ?? wayOf(), ...others],
    requestRules: compileRules(route.requestHeaders),
    answer: engine.answerOf(route),
  };
}

type Note = (outcome: 'success' | 'failure') => void;

/** A branch that fails more than the first one gets nothing more. */
function watchSplit(
  { id, rollback }: Route,
  split: Split,
  onRollback: Kit['onRollback'],
): ((name: string) => Note) | undefined {
  if (!rollback) return undefined;
  const guard = new SplitGuard(
    split.branches.map(({ name }) => name),
    rollback,
  );
  return (name) => (outcome) => {
    const rolledBack = guard.note(name, outcome);
    if (rolledBack === undefined) return;
    split.turnOff(rolledBack.branch);
    onRollback(id, rolledBack);
  };
}

function forwardSettings({
  timeouts,
  retry,
  circuitBreaker,
  hedge,
  host = 'client',
  rewrite,
}: Route): object {
  return { timeouts, retry, circuitBreaker, hedge, host, rewrite };
}

function policy<P>(name: keyof RoutePolicies, given: P | undefined): P {
  if (given !== undefined) return given;
  throw new RangeError(`${name} is not set up at this gateway`);
}
