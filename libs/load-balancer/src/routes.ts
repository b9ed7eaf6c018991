import type { Endpoint } from './endpoint.ts';
import { levelShares } from './levels.ts';
import type { LevelShare } from './levels.ts';
import type { Member } from './member.ts';
import type { Picker, Policy } from './policy.ts';
import type { Lenience, MemberRequest } from './request.ts';
import { zoneShares } from './zones.ts';
import type { ZoneOptions } from './zones.ts';

/** What routes need to know beside the members. */
export interface RouteOptions {
  readonly zone: ZoneOptions | undefined;
  readonly panicRatio: number;
}

/** Health is counted anew after so many picks for each endpoint: with few endpoints always, with many at no cost worth naming. */
const countsPerEndpoint = 1 / 16;

const leniences: readonly Lenience[] = ['usual', 'cold', 'panic'];

/** The endpoints of one priority and one zone, with a picker of their own. */
interface Group<E extends Endpoint> {
  readonly members: readonly Member<E>[];
  readonly capacity: readonly Member<E>[];
  readonly picker: Picker<Member<E>>;
  readonly isLocal: boolean;
  healthy: number;
  ratio: number;
  panics: boolean;
}

/** Sends each pick to a priority and a zone, then lets the policy choose there. */
export class Routes<E extends Endpoint> {
  readonly #options: RouteOptions;
  /** By priority. */
  readonly #levels: readonly (readonly Group<E>[])[];
  readonly #groups: readonly Group<E>[];
  readonly #period: number;
  readonly #only: Picker<Member<E>> | undefined;
  #left = 0;

  constructor(members: readonly Member<E>[], policy: Policy, options: RouteOptions) {
    this.#options = options;
    const group = (set: readonly Member<E>[]) => groupOf(set, policy, options.zone);
    this.#levels = sortedBy(members, ({ priority }) => priority).map((level) =>
      options.zone === undefined ? [group(level)] : sortedBy(level, ({ zone }) => zone).map(group),
    );
    this.#groups = this.#levels.flat();
    this.#period = Math.floor(members.length * countsPerEndpoint);
    // Nothing to route: the usual case goes straight to the policy.
    const isPlain = this.#groups.length === 1 && options.panicRatio === 0;
    this.#only = isPlain ? this.#groups[0]?.picker : undefined;
  }

  pick(request: MemberRequest<E>): Member<E> | undefined {
    return this.#only === undefined
      ? this.#route(request)
      : (this.#only.pick(request) ?? this.#last(request));
  }

  #route(request: MemberRequest<E>): Member<E> | undefined {
    if (this.#left-- <= 0) this.#count(request);
    const group = this.#groups[this.#choose(request.route)];
    request.lenience = group?.panics ? 'panic' : 'usual';
    return group?.picker.pick(request) ?? this.#last(request);
  }

  /** When the chosen group has nobody: all groups in order, more and more leniently. */
  #last(request: MemberRequest<E>): Member<E> | undefined {
    for (const lenience of leniences) {
      request.lenience = lenience;
      for (const { picker } of this.#groups) {
        const member = picker.pick(request);
        if (member !== undefined) return member;
      }
    }
    return undefined;
  }

  #choose(fraction: number): number {
    let left = fraction;
    let last = 0;
    for (let at = 0; at < this.#groups.length; at++) {
      const ratio = this.#groups[at]?.ratio ?? 0;
      if (ratio === 0) continue;
      last = at;
      left -= ratio;
      if (left < 0) return at;
    }
    return last;
  }

  #count(request: MemberRequest<E>): void {
    this.#left = this.#period;
    for (const group of this.#groups) {
      group.healthy = 0;
      for (const member of group.capacity) if (request.isHealthy(member)) group.healthy++;
    }
    const shares = levelShares(this.#levels.map(healthOf), this.#options.panicRatio);
    this.#levels.forEach((groups, at) => {
      const share = shares[at];
      if (share !== undefined) this.#divide(groups, share);
    });
  }

  /** In panic zones do not count: sick ones and well ones are used alike, so what counts is how many there are. */
  #divide(groups: readonly Group<E>[], { ratio, panics }: LevelShare): void {
    const total = groups.reduce((sum, { capacity }) => sum + capacity.length, 0);
    const { zone } = this.#options;
    const parts =
      zone === undefined || panics
        ? groups.map(({ capacity }) => (total > 0 ? capacity.length / total : 1 / groups.length))
        : zoneShares(groups.map(zoneHealthOf), zone);
    groups.forEach((group, at) => {
      group.ratio = ratio * (parts[at] ?? 0);
      group.panics = panics;
    });
  }
}

function groupOf<E extends Endpoint>(
  members: readonly Member<E>[],
  policy: Policy,
  zone: ZoneOptions | undefined,
): Group<E> {
  return {
    members,
    capacity: members.filter(({ weight }) => weight > 0),
    picker: policy.build(members),
    isLocal: members[0]?.zone === zone?.name,
    healthy: 0,
    ratio: 0,
    panics: false,
  };
}

/** Groups of equals, lowest first. */
function sortedBy<T>(items: readonly T[], key: (item: T) => number | string): readonly T[][] {
  const groups = Map.groupBy(items, key);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function healthOf<E extends Endpoint>(groups: readonly Group<E>[]): { healthy: number; total: number } {
  return {
    healthy: groups.reduce((sum, { healthy }) => sum + healthy, 0),
    total: groups.reduce((sum, { capacity }) => sum + capacity.length, 0),
  };
}

function zoneHealthOf<E extends Endpoint>({ isLocal, healthy, members }: Group<E>) {
  const reports = members.flatMap(({ load }) => load.utilizationRatio ?? []);
  const utilizationRatio =
    reports.length > 0 ? reports.reduce((sum, ratio) => sum + ratio, 0) / reports.length : undefined;
  return { isLocal, healthy, utilizationRatio };
}
