import type { Contender } from '../balancer.ts';

/** One after the other, each client from a start of its own. Blind to everything, so nothing is lost or regained. */
export const roundRobin: Contender = {
  name: 'round robin',
  create(random) {
    let count = 0;
    let next = random();
    return {
      update(servers) {
        next = Math.floor((count ? next / count : next) * servers);
        count = servers;
      },
      pick() {
        next = (next + 1) % count;
        return { server: next, done: () => undefined };
      },
    };
  },
};
