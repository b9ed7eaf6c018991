import { pauses } from './fault.ts';
import type { Fault, Setting } from './fault.ts';
import type { Figures } from './measure.ts';
import { nameOf, researchPoint } from './setting.ts';

/** The goals of issue 4: errors in each scenario where one server fails, the way back in each, pauses at the research point. */
export const goals = {
  errorRatio: 0.002,
  ejectingErrorRatio: 0.0005,
  regainMs: 3_000,
  pausesP99Ms: 60,
};

/** A figure that does not reach its goal. Without a reason it is a defect. */
export interface Miss {
  readonly where: string;
  readonly what: string;
  readonly reason: string | undefined;
}

/** One server out of all fails requests: what the goal of errors is about. In a rolling restart every server fails. */
export function failsRequests({ breaks, name }: Fault): boolean {
  return breaks && name !== 'rolling restart';
}

/** What of a run misses its goal. */
export function missesOf(
  setting: Setting,
  fault: Fault,
  figures: Figures,
  atMost = goals.errorRatio,
): readonly Miss[] {
  const where = `${nameOf(setting)}, ${fault.name}`;
  const misses: Miss[] = [];
  if (failsRequests(fault) && figures.errorRatio > atMost)
    misses.push({ where, what: percent(figures.errorRatio), reason: excuse(setting, figures, atMost) });
  if (figures.regainMs > goals.regainMs && atMost === goals.errorRatio)
    misses.push({ where, what: `back after ${(figures.regainMs / 1_000).toFixed(1)} s`, reason: undefined });
  if (setting === researchPoint && fault === pauses && figures.p99Ms > goals.pausesP99Ms)
    misses.push({ where, what: `p99 ${figures.p99Ms.toFixed(0)} ms`, reason: undefined });
  return misses;
}

/** The part of the room that the requests need when one server is gone. */
function needed({ servers, loadRatio }: Setting): number {
  return (loadRatio * servers) / (servers - 1);
}

/**
 * Nobody tells the callers: each has to fail once to learn of it, and once in 3 s to learn within 3 s that it is over.
 * That is this part of the requests, whatever the algorithm.
 */
export function priceOfLearning({ clients, faultMs }: Setting, requests: number): number {
  return (clients * (1 + faultMs / goals.regainMs)) / requests;
}

/** How far above the price of learning an excused figure may be: tests come a little earlier than the 3 s. */
const slack = 2;

function excuse(setting: Setting, { errorRatio, requests }: Figures, atMost: number): string | undefined {
  if (needed(setting) >= 1)
    return `the other servers have no room: they would have to be ${percent(needed(setting), 0)} busy`;
  const price = priceOfLearning(setting, requests);
  if (price * slack < atMost || errorRatio > price * slack) return undefined;
  return `few requests for many callers: each failing once and every 3 s is ${percent(price)}`;
}

export function percent(ratio: number, digits = 2): string {
  return `${(ratio * 100).toFixed(digits)} %`;
}
