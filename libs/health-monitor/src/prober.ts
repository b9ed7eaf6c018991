import { failed, type CheckResult } from './check.ts';
import type { Clock, Timers } from './clock.ts';
import { DueQueue } from './due-queue.ts';
import type { Job, JobPhase, ProbeTask } from './job.ts';
import { Lane } from './lane.ts';
import { LatencySketch } from './latency-sketch.ts';
import { abortController } from './signal.ts';

/** How a prober shares its time. All are copied. */
export interface ProberSettings {
  /** Checks that run at the same time. */
  readonly concurrency: number;
  /** Checks of targets that lingered, beside those. */
  readonly slowConcurrency: number;
  /** A check that takes longer lingers: it gives its seat up if it can, and the next one starts in the slow lane. */
  readonly lingerMs: number;
  /** When the monitor is so much late, checks under way say nothing bad about their targets. */
  readonly stallMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** How the monitor itself does. */
export interface ProberHealth {
  readonly targets: number;
  readonly running: number;
  /** Checks that are due and have no seat yet. */
  readonly waiting: number;
  /** How late checks began, in milliseconds. */
  readonly latenessMs: { readonly p50: number | undefined; readonly p99: number | undefined };
  readonly stalls: number;
  /** Milliseconds by which all stalls together have moved the schedule. */
  readonly stalledMs: number;
}

/** Wakes no more often, so that a crowd costs one timer for each tick and not one for each target. */
const tickMs = 10;

/**
 * Runs checks at their times, with one timer. Its time stands still while the process does: a stall moves every date and every deadline by its
 * length, no check is made up for, and nothing bad is concluded from checks that it touched.
 */
export class Prober {
  readonly #settings: ProberSettings;
  readonly #due = new DueQueue<Job>();
  readonly #jobs = new Map<ProbeTask, Job>();
  readonly #prompt: Lane<Job>;
  readonly #slow: Lane<Job>;
  readonly #lateness = new LatencySketch();
  #timer: unknown;
  /** When the timer is due, by the clock. */
  #wakeAt = Infinity;
  #stalledMs = 0;
  #stalls = 0;
  #closed = false;

  constructor(settings: ProberSettings) {
    this.#settings = { ...settings };
    this.#prompt = new Lane(settings.concurrency);
    this.#slow = new Lane(settings.slowConcurrency);
  }

  get size(): number {
    return this.#jobs.size;
  }

  get health(): ProberHealth {
    return {
      targets: this.#jobs.size,
      running: this.#prompt.running + this.#slow.running,
      waiting: this.#prompt.waiting + this.#slow.waiting,
      latenessMs: { p50: this.#lateness.quantile(0.5), p99: this.#lateness.quantile(0.99) },
      stalls: this.#stalls,
      stalledMs: this.#stalledMs,
    };
  }

  add(task: ProbeTask): void {
    if (this.#closed || this.#jobs.has(task)) return;
    const job: Job = {
      task,
      dueAt: 0,
      place: -1,
      phase: { name: 'waiting' },
      lane: this.#prompt,
      seat: undefined,
      turn: 0,
    };
    this.#jobs.set(task, job);
    this.#wait(job, task.firstDelayMs());
  }

  remove(task: ProbeTask): void {
    const job = this.#jobs.get(task);
    if (job === undefined) return;
    this.#jobs.delete(task);
    this.#due.remove(job);
    if (job.phase.name === 'running') job.phase.abort(new Error('no longer monitored'));
    job.phase = { name: 'gone' };
    this.#vacate(job);
    this.#seatNext();
  }

  /** Looks no later than in `delayMs`. */
  hasten(task: ProbeTask, delayMs: number): void {
    const job = this.#jobs.get(task);
    if (job?.phase.name !== 'waiting' || job.dueAt <= this.#now() + delayMs) return;
    this.#due.remove(job);
    this.#wait(job, delayMs);
  }

  close(): void {
    this.#closed = true;
    for (const task of [...this.#jobs.keys()]) this.remove(task);
    this.#settings.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Time by which checks are planned: it leaves out what the process slept through. */
  #now(): number {
    return this.#settings.clock.now() - this.#stalledMs;
  }

  #wait(job: Job, delayMs: number): void {
    job.phase = { name: 'waiting' };
    job.dueAt = this.#now() + delayMs;
    this.#due.push(job);
    this.#arm();
  }

  /** While checks run the timer beats often enough to notice a stall. */
  #arm(): void {
    const first = this.#due.first;
    if (first === undefined || this.#closed) return;
    const now = this.#now();
    const busy = this.#prompt.running + this.#slow.running > 0;
    const delayMs = Math.max(tickMs, first.dueAt - now);
    this.#setTimer(busy ? Math.min(delayMs, Math.max(tickMs, this.#settings.stallMs / 2)) : delayMs);
  }

  #setTimer(delayMs: number): void {
    const { clock, timers } = this.#settings;
    // A timer of Node's holds at most 2^31 - 1 ms.
    const wakeAt = clock.now() + Math.min(delayMs, 3_600_000);
    if (this.#timer !== undefined && wakeAt >= this.#wakeAt) return;
    if (this.#timer !== undefined) timers.clearTimeout(this.#timer);
    this.#wakeAt = wakeAt;
    this.#timer = timers.setTimeout(() => {
      this.#wake();
    }, wakeAt - clock.now());
  }

  #wake(): void {
    const lateMs = this.#settings.clock.now() - this.#wakeAt;
    const stalledMs = this.#noticeStall();
    this.#timer = undefined;
    this.#wakeAt = Infinity;
    const now = this.#now();
    for (let job = this.#due.shift(now); job !== undefined; job = this.#due.shift(now)) {
      if (job.phase.name !== 'running') this.#ask(job, now, stalledMs);
      else if (lateMs > tickMs && !job.phase.extended) this.#extend(job, job.phase, now);
      else this.#end(job, job.turn, timedOut(job.task.timeoutMs), now);
    }
    this.#seatNext();
    this.#arm();
  }

  /** A late timer is asked before the answers that came meanwhile: once, they get a moment to be read. */
  #extend(job: Job, phase: Extract<JobPhase, { name: 'running' }>, now: number): void {
    job.phase = { ...phase, extended: true };
    job.dueAt = now + tickMs;
    this.#due.push(job);
  }

  /** Moves the whole schedule by a stall. Also asked when a result comes: it may come before the timer. @returns its length. */
  #noticeStall(): number {
    const lateMs = this.#settings.clock.now() - this.#wakeAt;
    if (!(lateMs >= this.#settings.stallMs)) return 0;
    this.#stalls++;
    this.#stalledMs += lateMs;
    this.#wakeAt += lateMs;
    for (const job of this.#jobs.values()) {
      if (job.phase.name === 'running') job.phase = { ...job.phase, disturbed: true };
    }
    return lateMs;
  }

  #ask(job: Job, now: number, stalledMs: number): void {
    job.phase = { name: 'queued', since: job.dueAt - stalledMs };
    if (job.lane.waiting === 0 && !job.lane.isFull) this.#start(job, now);
    else job.lane.wait(job);
  }

  #seatNext(): void {
    const now = this.#now();
    this.#moveLingerers(now);
    for (const lane of [this.#prompt, this.#slow]) {
      for (let job = lane.next(); job !== undefined; job = lane.next()) this.#start(job, now);
    }
  }

  /** Who hangs makes room for those who wait. */
  #moveLingerers(now: number): void {
    for (let spare = this.#prompt.waiting; spare > 0 && !this.#slow.isFull; spare--) {
      const oldest = this.#prompt.oldest;
      if (oldest?.phase.name !== 'running' || now - oldest.phase.startedAt < this.#settings.lingerMs) return;
      this.#prompt.leave(oldest);
      this.#sit(oldest, this.#slow);
    }
  }

  #sit(job: Job, lane: Lane<Job>): void {
    lane.sit(job);
    job.seat = lane;
  }

  #vacate(job: Job): void {
    job.lane.leave(job);
    job.seat?.leave(job);
    job.seat = undefined;
  }

  #start(job: Job, now: number): void {
    if (job.phase.name === 'queued') this.#lateness.add(now - job.phase.since);
    const controller = abortController();
    const turn = ++job.turn;
    this.#sit(job, job.lane);
    job.phase = {
      name: 'running',
      startedAt: now,
      disturbed: false,
      extended: false,
      abort: (reason) => {
        controller.abort(reason);
      },
    };
    job.dueAt = now + job.task.timeoutMs;
    this.#due.push(job);
    void look(job.task, controller.signal).then((result) => {
      this.#noticeStall();
      this.#end(job, turn, result, this.#now());
      this.#seatNext();
    });
  }

  #end(job: Job, turn: number, result: CheckResult, now: number): void {
    if (job.phase.name !== 'running' || job.turn !== turn) return;
    const { startedAt, disturbed, abort } = job.phase;
    const tookMs = now - startedAt;
    this.#due.remove(job);
    this.#vacate(job);
    job.phase = { name: 'waiting' };
    job.lane = tookMs >= this.#settings.lingerMs ? this.#slow : this.#prompt;
    if (tookMs >= job.task.timeoutMs) abort(new Error(result.message));
    const inconclusive = disturbed && result.status === 'down';
    if (!inconclusive) job.task.found(result, disturbed ? undefined : (result.latencyMs ?? tookMs));
    // What hears of the result may have removed the target.
    if (this.#jobs.get(job.task) === job) this.#wait(job, job.task.nextDelayMs(inconclusive));
  }
}

const timedOut = (timeoutMs: number): CheckResult => failed(`no answer within ${timeoutMs} ms`);

async function look({ check }: ProbeTask, signal: Parameters<ProbeTask['check']>[0]): Promise<CheckResult> {
  try {
    return (await check(signal)) ?? {};
  } catch (error) {
    return failed(error);
  }
}
