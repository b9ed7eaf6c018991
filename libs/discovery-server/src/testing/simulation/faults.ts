import type { Simulation } from './simulation.ts';
import { Simulation as World } from './simulation.ts';

/** One kind of trouble, begun at a random moment. */
type Fault = (world: Simulation) => void;

function pick<T>(world: Simulation, all: readonly T[]): T | undefined {
  return all[Math.floor(world.random() * all.length)];
}

function later(world: Simulation, mostMs: number, action: () => void): void {
  world.time.set(action, world.random() * mostMs);
}

const faults: Readonly<Record<string, Fault>> = {
  kill: (world) => pick(world, world.living())?.kill(),
  leave: (world) => {
    pick(world, world.living())?.leave();
  },
  join: (world) => {
    world.join(pick(world, world.services) ?? '');
  },
  /** Killed, and another process at the same address before anybody noticed. */
  replace: (world) => {
    const victim = pick(world, world.living());
    if (victim === undefined) return;
    victim.kill();
    later(world, 500, () => world.join(world.nameOf(victim), victim.host.address));
  },
  restart: (world) => {
    world.restart(world.random() * 8000);
  },
  pause: (world) => {
    if (world.registry.host.isStopped || !world.registry.isUp) return;
    world.pause(true);
    later(world, 20_000, () => {
      if (world.registry.host.isStopped) world.pause(false);
    });
  },
  loss: (world) => {
    world.lose(world.random() * 0.3);
    later(world, 15_000, () => {
      world.lose(0);
    });
  },
  delay: (world) => {
    world.network.weather.delayMs = { least: 1, most: 50 + world.random() * 400 };
    later(world, 15_000, () => {
      world.network.weather.delayMs = { least: 0.5, most: 3 };
    });
  },
  cutInstance: (world) => {
    cutForAWhile(world, world.living());
  },
  cutWatcher: (world) => {
    cutForAWhile(world, world.watchers);
  },
  jump: (world) => {
    world.jump((world.random() < 0.5 ? -1 : 1) * 3600_000);
  },
};

function cutForAWhile(world: Simulation, all: readonly Simulation['watchers'][number][]): void {
  const victim = pick(world, all);
  if (victim === undefined || victim.host.isCut) return;
  world.cut(victim);
  later(world, 20_000, () => {
    world.heal(victim);
  });
}

/** Virtual milliseconds: to begin, of trouble, and until all must be well again. */
const phases = { beginMs: 3000, troubleMs: 20_000, quietMs: 65_000 } as const;

/** What a run found. */
export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly samples: number;
  readonly events: number;
  readonly kinds: readonly string[];
}

/** One run of a few kinds of trouble, each a few times: a small mesh, then quiet, then everything must be right. */
export async function runSeed(seed: number): Promise<Outcome> {
  const world = new World({ seed, instances: 2, watchers: 1, services: ['users', 'orders'] });
  const names = Object.keys(faults);
  const kinds = Array.from({ length: 1 + Math.floor(world.random() * 3) }, () => pick(world, names) ?? '');
  await world.run(phases.beginMs);
  for (let count = 0; count < 4; count++) {
    const fault = faults[pick(world, kinds) ?? ''];
    later(world, phases.troubleMs, () => fault?.(world));
  }
  await world.run(phases.troubleMs);
  if (world.registry.host.isStopped) world.pause(false);
  await world.run(phases.quietMs);
  const violations = [...world.violations, ...world.differences()];
  return { seed, violations, samples: world.history.samples, events: world.audit.events, kinds };
}
