import type { Endpoint } from './endpoint.ts';
import type { Filter } from './filters.ts';
import { hashOf, mix } from './hash.ts';
import type { PickContext } from './load-balancer.ts';
import type { Member } from './member.ts';
import type { Clock, PickRequest, Random } from './policy.ts';
import type { Restraints } from './restraints.ts';

/** Who will do: the usual, also those that slow start holds back, or everybody. */
export type Lenience = 'usual' | 'cold' | 'panic';

const [routeSalt, warmSalt] = [0x9e3779b9, 0x7f4a7c15];

/** The one request of a balancer, begun anew for each pick: picks are synchronous, so nothing needs to be allocated. */
export class MemberRequest<E extends Endpoint> implements PickRequest<Member<E>> {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #restraints: Restraints;
  #isSpecial = false;
  #nowMs: number | undefined;
  #hash: number | undefined;
  #key: string | undefined;
  #excluded: ReadonlySet<string> | undefined;
  #only: Filter<E> | undefined;
  /** Who will do from here on. */
  lenience: Lenience = 'usual';

  constructor(clock: Clock, random: Random, restraints: Restraints) {
    this.#clock = clock;
    this.#random = random;
    this.#restraints = restraints;
  }

  begin(context: PickContext<E> | undefined): this {
    this.#nowMs = this.#hash = undefined;
    this.lenience = 'usual';
    if (context !== undefined || this.#isSpecial) this.#specialize(context);
    return this;
  }

  accepts(member: Member<E>): boolean {
    if (this.#excluded?.has(member.id)) return false;
    if (this.#only?.(member.endpoint) === false) return false;
    if (this.lenience === 'panic') return true;
    if (!member.available) {
      this.#restraints.away(member.load);
      return false;
    }
    return !member.load.restricted || this.#passes(member);
  }

  /** Whether it counts as capacity: asks nothing and changes nothing. */
  isHealthy({ available, load }: Member<E>): boolean {
    return available && (!load.restricted || this.#restraints.isFree(load, this.nowMs));
  }

  get hash(): number {
    return (this.#hash ??= this.#key === undefined ? (this.#random() * 2 ** 32) >>> 0 : hashOf(this.#key));
  }

  get nowMs(): number {
    return (this.#nowMs ??= this.#clock.now());
  }

  /** 0 to 1, by which a route is chosen: the same for the same key. */
  get route(): number {
    return this.#chance(routeSalt);
  }

  #specialize(context: PickContext<E> | undefined): void {
    this.#isSpecial = context !== undefined;
    this.#key = context?.key;
    this.#excluded = context?.excluded?.size ? context.excluded : undefined;
    this.#only = context?.only;
  }

  #passes({ load }: Member<E>): boolean {
    if (!this.#restraints.allows(load, this.nowMs)) return false;
    return load.warmRatio === 1 || this.lenience === 'cold' || this.#chance(warmSalt) < load.warmRatio;
  }

  #chance(salt: number): number {
    return this.#key === undefined ? this.#random() : mix(this.hash ^ salt) / 2 ** 32;
  }
}
