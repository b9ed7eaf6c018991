import { isDeepStrictEqual } from 'node:util';
import { RouteCors } from '../auth/cors.ts';
import type { Forward, Stage } from '../passage.ts';
import { partLimits } from '../limits/rate-limit-rules.ts';
import { compileRules } from '../routing/header-rules.ts';
import type { Branch, Route } from '../routing/route-schema.ts';
import { SplitGuard, type BranchOutcome, type RolledBack } from '../routing/split-guard.ts';
import { Split } from '../routing/split.ts';
import { withHeaderRules, withOutcome } from './answer-taps.ts';
import type { Engine } from './engine.ts';
import type { Lane, RoutePolicies, Step, Way } from './lane.ts';
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
 * @param before the lane of the route as it was; a stage whose settings stay the same keeps what it has counted.
 * @throws RangeError when the gateway does not have a policy that the route names, or the policy does not like its settings.
 */
export function assemble(route: Route, kit: Kit, before?: Lane): Lane {
  const { overload, auth, rateLimit, cache } = kit.policies;
  const steps: Step[] = [];
  const add = (name: Step['name'], settings: unknown, make?: () => Stage): void => {
    const same = before?.steps.find(
      (step) => step.name === name && isDeepStrictEqual(step.settings, settings),
    );
    steps.push({ name, settings, stage: same?.stage ?? make?.() });
  };

  // Which pages may read what follows, refusals too; a preflight gets no further.
  if (route.cors) add('cors', route.cors);
  // Whether there is room: what is shed must cost less than anything that follows. (Before it only the match.)
  const { priority = 'normal' } = route;
  if (overload !== undefined) add('overload', { priority }, () => overload.stage(priority));
  const rules = route.auth;
  const { anybody, admitted } = limitsOf(route);
  // How often this address asks, or whoever shows this key: before it costs a verification.
  if (anybody) add('rateLimit', anybody, () => needed('rateLimit', rateLimit)(anybody));
  // Who it is, before what depends on it: limits count by identity, and a cache must not answer who may not ask.
  if (rules) add('auth', rules, () => needed('auth', auth)(rules));
  // How often those ask who may: before the cache, for a hit is an answer too.
  if (admitted) add('rateLimit', admitted, () => needed('rateLimit', rateLimit)(admitted));
  // From memory: last before the wire.
  if (route.cache) add('cache', route.cache);
  const caching = route.cache && { rules: route.cache, memory: needed('cache', cache) };
  // To an instance: balancing, breaker, retries and deadline are the client's, by the wishes of the route.
  add('forward', forwardSettings(route));

  const split = route.split && new Split(route.split, route.sticky);
  const outcomes = split && watchSplit(route, split, kit.onRollback);
  const answerRules = compileRules(route.responseHeaders);
  // From the instance outwards: what it answered is judged, then kept, then dressed for the client.
  const wayOf = (branch?: Branch, name?: string): Way => {
    const { where, service = route.service } = branch ?? {};
    let forward: Forward = kit.engine.forwardTo(route, wishesOf(route, where));
    if (outcomes !== undefined && name !== undefined) forward = withOutcome(outcomes(name), forward);
    if (caching) forward = caching.memory.around(caching.rules, forward);
    if (answerRules !== undefined) forward = withHeaderRules(answerRules, forward);
    return { name, service: service === '*' ? undefined : service, where, forward };
  };
  const [first = wayOf(), ...others] = split?.branches.map(({ branch, name }) => wayOf(branch, name)) ?? [];
  return {
    route,
    steps,
    stages: steps.flatMap(({ stage }) => stage ?? []),
    cors: route.cors ? new RouteCors(route.cors) : undefined,
    split,
    ways: [first, ...others],
    requestRules: compileRules(route.requestHeaders),
    answer: kit.engine.answerOf(route),
  };
}

/** Where nobody is asked who it is, all limits stand together: a request that one refuses counts for none. */
function limitsOf({ auth, rateLimit }: Route): Partial<ReturnType<typeof partLimits>> {
  if (!rateLimit) return {};
  return auth ? partLimits(rateLimit) : { admitted: rateLimit };
}

/** A branch that fails more than the first one gets nothing more. */
function watchSplit(
  { id, rollback }: Route,
  split: Split,
  onRollback: Kit['onRollback'],
): ((name: string) => (outcome: BranchOutcome) => void) | undefined {
  if (!rollback) return undefined;
  const names = split.branches.map(({ name }) => name);
  const guard = new SplitGuard(names, rollback);
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

function needed<P>(name: keyof RoutePolicies, given: P | undefined): P {
  if (given !== undefined) return given;
  throw new RangeError(`${name} is not set up at this gateway`);
}
