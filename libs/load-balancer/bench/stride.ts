import type { Candidate, Picker, Policy, PolicyTools } from '../src/index.ts';

const full = 65_535;
const offset = 32_767;

/**
 * Static stride scheduling as gRPC proposal A58 describes it, for comparison: candidate k of generation g has its turn when
 * `(weight * g + k * offset) mod 65535 >= 65535 - weight`. A walk over all that have no turn, so its cost is heaviest / mean.
 */
export function stridePolicy({ random }: PolicyTools): Policy {
  return {
    build<C extends Candidate>(candidates: readonly C[]): Picker<C> {
      const heaviest = candidates.reduce((most, { weight }) => Math.max(most, weight), 0);
      const weights = Uint16Array.from(candidates, ({ weight }) => Math.round((full * weight) / heaviest));
      let sequence = Math.floor(random() * 2 ** 20);
      return {
        pick(request) {
          for (let walk = 0; walk < full; walk++) {
            const at = sequence % weights.length;
            const generation = Math.floor(sequence++ / weights.length);
            const weight = weights[at] ?? 0;
            const candidate = candidates[at];
            const hasTurn = (weight * generation + at * offset) % full >= full - weight;
            if (hasTurn && candidate !== undefined && request.accepts(candidate)) return candidate;
          }
          return undefined;
        },
      };
    },
  };
}
