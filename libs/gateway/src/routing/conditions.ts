import { cookiesOf, headersOf, hostOf, type MatchRequest } from './match-request.ts';
import type { Condition, Match } from './route-schema.ts';

/** Whether a request is as a route wants it, beside its path and its method. */
export type Predicate = (request: MatchRequest) => boolean;

/** The condition for one named value: which kind of value, which name, what of it. */
interface Named {
  /** `headers x-beta`. */
  readonly key: string;
  readonly condition: Condition;
}

/** Checks for everything but path and method; empty when there is nothing to check. */
export function predicatesOf({ host, headers = {}, query = {}, cookie = {} }: Match): Predicate[] {
  const predicates: Predicate[] =
    host === undefined ? [] : [(request) => isHost(host, hostOf(request.rawHeaders))];
  for (const [name, condition] of Object.entries(headers)) {
    predicates.push(({ rawHeaders }) => holds(condition, headersOf(rawHeaders, name)));
  }
  for (const [name, condition] of Object.entries(query)) {
    predicates.push(({ target }) => holds(condition, new URLSearchParams(target.query).getAll(name)));
  }
  for (const [name, condition] of Object.entries(cookie)) {
    predicates.push(({ rawHeaders }) => holds(condition, cookiesOf(rawHeaders, name)));
  }
  return predicates;
}

/** How closely a match looks beside its path: host first (a longer one closer, a whole one closest), then the number of conditions, then methods. */
export function closeness(match: Match): readonly number[] {
  const { host = '', methods } = match;
  const hostWeight = host === '' ? 0 : host.startsWith('*') ? host.length : 1_000 + host.length;
  return [hostWeight, conditionsOf(match).length, methods === undefined ? 0 : 1];
}

/** Whether `one` takes every request that `other` takes, their paths being equal. */
export function covers(one: Match, other: Match): boolean {
  const theirs = conditionsOf(other);
  return (
    coversHost(one.host, other.host) &&
    (one.methods === undefined || other.methods?.every((method) => one.methods?.includes(method)) === true) &&
    conditionsOf(one).every(({ key, condition }) =>
      theirs.some((their) => their.key === key && follows(condition, their.condition)),
    )
  );
}

function conditionsOf({ headers = {}, query = {}, cookie = {} }: Match): Named[] {
  return Object.entries({ headers, query, cookie }).flatMap(([kind, conditions]) =>
    Object.entries(conditions).map(([name, condition]) => ({ key: `${kind} ${name}`, condition })),
  );
}

function holds({ exact, prefix, present }: Condition, values: readonly string[]): boolean {
  if (exact !== undefined) return values.includes(exact);
  if (prefix !== undefined) return values.some((value) => value.startsWith(prefix));
  return values.length > 0 === (present ?? true);
}

/** Whether a value that fulfils `given` fulfils `wanted`. */
function follows(wanted: Condition, given: Condition): boolean {
  if (given.present === false) return wanted.present === false;
  if (wanted.present !== undefined) return wanted.present;
  if (wanted.exact !== undefined) return given.exact === wanted.exact;
  return (given.exact ?? given.prefix)?.startsWith(wanted.prefix ?? '') === true;
}

function isHost(pattern: string, host: string | undefined): boolean {
  return pattern.startsWith('*') ? host?.endsWith(pattern.slice(1)) === true : host === pattern;
}

function coversHost(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || one === other) return true;
  return one.startsWith('*') && other?.replace(/^\*/, '').endsWith(one.slice(1)) === true;
}
