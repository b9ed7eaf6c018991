import { AlertError } from './alert-error.ts';
import {
  afterJudgement,
  escalated,
  isActive,
  resolved,
  type ActiveAlert,
  type Alert,
  type ResolvedAlert,
} from './alert.ts';
import { isOpen, type Maintenance } from './maintenance.ts';
import { matches } from './matcher.ts';
import type { NoticeItem } from './notice.ts';
import type { Notices, SavedNotices } from './notices.ts';
import { text } from './range.ts';
import type { AlertRule, Judgement } from './rule.ts';
import { isAtLeast, type Severity } from './severity.ts';
import { readSilence, type Silence } from './silence.ts';
import { flapping } from './status-rule.ts';

/** An alert, and what people were told of it. */
interface Entry {
  readonly alert: Exclude<Alert, ResolvedAlert>;
  readonly told?: { readonly severity: Severity; readonly at: number };
}

/** Everything that outlives a restart; plain JSON. */
export interface SavedAlerts {
  readonly version: 1;
  readonly sequence: number;
  readonly entries: readonly Entry[];
  readonly resolved: readonly ResolvedAlert[];
  readonly silences: readonly Silence[];
  readonly notices: SavedNotices;
}

/** What an alert book needs to know. */
export interface AlertBookSettings {
  readonly notices: Notices;
  readonly maintenance: readonly Maintenance[];
  readonly repeatMs: number;
  /** Hears of every new state of an alert; undefined: a pending one that came to nothing. */
  readonly changed: (alert: Alert | undefined, previous: Alert | undefined) => void;
}

const mostResolved = 500;
const mostSilences = 1000;

/** All alerts: what rules say becomes states, and states become notices, each of them once. */
export class AlertBook {
  readonly #settings: AlertBookSettings;
  /** By target, then by rule: most targets have none, and are asked about most. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  #resolved: readonly ResolvedAlert[] = [];
  #silences: readonly Silence[] = [];
  #sequence = 0;

  constructor(settings: AlertBookSettings) {
    this.#settings = settings;
  }

  /** Pending, firing and acknowledged alerts. */
  get alerts(): Exclude<Alert, ResolvedAlert>[] {
    return this.#all().map(({ alert }) => alert);
  }

  /** The last 500 that are over, the newest first. */
  get resolved(): readonly ResolvedAlert[] {
    return this.#resolved;
  }

  get silences(): readonly Silence[] {
    return this.#silences;
  }

  /** One rule about one target. @returns whether anything is different now. */
  judge(
    rule: AlertRule,
    target: { readonly id: string; readonly service: string },
    judgement: Judgement,
    now: number,
  ): boolean {
    const entry = this.#entries.get(target.id)?.get(rule.name);
    if (entry === undefined && judgement.verdict !== 'raise') return false;
    const subject = { id: this.#newId(rule.name, target.id), target: target.id, service: target.service };
    const judged = afterJudgement(entry?.alert, rule, judgement, subject, now);
    if (entry === undefined && judged !== undefined) this.#sequence++;
    return this.#move(entry, judged && escalated(judged, rule, now), now);
  }

  /** Ends what is left of a target that is no longer watched, or of rules that it no longer has. @returns whether there was any. */
  removeTarget(targetId: string, now: number, kept: readonly AlertRule[] = []): boolean {
    const rules = new Set(kept.map(({ name }) => name));
    const all = [...(this.#entries.get(targetId)?.values() ?? [])];
    const gone = all.filter(({ alert }) => !rules.has(alert.rule));
    for (const entry of gone) {
      const { alert } = entry;
      this.#move(entry, isActive(alert) ? resolved(alert, now, 'removed') : undefined, now);
    }
    return gone.length > 0;
  }

  /** Whether a target has an alert, pending or active. */
  has(targetId: string): boolean {
    return this.#entries.has(targetId);
  }

  /** Targets that have alerts. */
  get targets(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** @throws AlertError `ERR_ALERT_NOT_FOUND` or `ERR_ALERT_PENDING`; RangeError when nobody is named. */
  acknowledge(id: string, { by, note = '' }: { by: string; note?: string }, now: number): ActiveAlert {
    const entry = this.#all().find((one) => one.alert.id === id);
    if (entry === undefined) throw new AlertError('ERR_ALERT_NOT_FOUND', `no alert ${id} is active`);
    const { alert } = entry;
    if (alert.state === 'pending') throw new AlertError('ERR_ALERT_PENDING', `alert ${id} has not fired yet`);
    const acknowledgement = { by: text('by', by), note: note.slice(0, 500), at: now };
    const acknowledged: ActiveAlert = { ...alert, state: 'acknowledged', acknowledgement };
    this.#keep({ ...entry, alert: acknowledged });
    this.#settings.changed(acknowledged, alert);
    if (entry.told !== undefined) this.#queue({ kind: 'acknowledged', alert: acknowledged }, now);
    return acknowledged;
  }

  silence(silence: Omit<Silence, 'id'>): Silence {
    const read = readSilence({ ...silence, id: `silence-${this.#sequence.toString(36)}` });
    if (this.#silences.length >= mostSilences) throw new RangeError('healthMonitor: too many silences');
    this.#sequence++;
    this.#silences = [...this.#silences, read];
    return read;
  }

  /** @returns whether there was one. */
  unsilence(id: string): boolean {
    const before = this.#silences.length;
    this.#silences = this.#silences.filter((silence) => silence.id !== id);
    return this.#silences.length < before;
  }

  /** Why nobody is told of an alert at the moment; undefined: they are. */
  quietedBy(alert: ActiveAlert, now: number): string | undefined {
    const silence = this.#silences.find(({ match, until }) => now < until && matches(match, alert));
    if (silence !== undefined) return silence.id;
    const work = this.#settings.maintenance.find((one) => isOpen(one, now) && matches(one.match, alert));
    if (work !== undefined) return work.name;
    const restless = this.#entries.get(alert.target)?.get(flapping)?.alert;
    return alert.rule !== flapping && isActive(restless) ? flapping : undefined;
  }

  /** What time brings: repeats, the end of silences, notices that are due. @returns whether anything is different now. */
  tick(now: number): boolean {
    const before = this.#silences.length;
    this.#silences = this.#silences.filter(({ until }) => now < until);
    let changed = this.#silences.length < before;
    for (const entry of this.#all()) {
      const told = this.#tell(entry, now);
      if (told === entry) continue;
      this.#keep(told);
      changed = true;
    }
    const nextId = (): string => `notice-${(this.#sequence++).toString(36)}`;
    return this.#settings.notices.flush(now, nextId) > 0 || changed;
  }

  save(): SavedAlerts {
    return {
      version: 1,
      sequence: this.#sequence,
      entries: this.#all(),
      resolved: this.#resolved,
      silences: this.#silences,
      notices: this.#settings.notices.save(),
    };
  }

  restore(saved: SavedAlerts): void {
    this.#sequence = saved.sequence;
    this.#resolved = saved.resolved;
    this.#silences = saved.silences;
    this.#settings.notices.restore(saved.notices);
    for (const entry of saved.entries) this.#keep(entry);
  }

  #newId(rule: string, target: string): string {
    return `${rule}.${target}.${this.#sequence.toString(36)}`;
  }

  #all(): Entry[] {
    return [...this.#entries.values()].flatMap((ofTarget) => [...ofTarget.values()]);
  }

  #keep(entry: Entry): void {
    const { target, rule } = entry.alert;
    const ofTarget = this.#entries.get(target);
    if (ofTarget === undefined) this.#entries.set(target, new Map([[rule, entry]]));
    else ofTarget.set(rule, entry);
  }

  #drop({ alert: { target, rule } }: Entry): void {
    const ofTarget = this.#entries.get(target);
    ofTarget?.delete(rule);
    if (ofTarget?.size === 0) this.#entries.delete(target);
  }

  /** The only place where an alert becomes another by judgement. */
  #move(entry: Entry | undefined, alert: Alert | undefined, now: number): boolean {
    const previous = entry?.alert;
    if (alert === previous) return false;
    if (alert?.state === 'resolved' || alert === undefined) {
      if (entry !== undefined) this.#drop(entry);
      if (alert !== undefined) this.#resolve(entry, alert, now);
    } else this.#keep(this.#tell({ ...entry, alert }, now));
    const moved = alert?.state !== previous?.state || alert?.severity !== previous?.severity;
    if (moved) this.#settings.changed(alert, previous);
    return moved;
  }

  #resolve(entry: Entry | undefined, alert: ResolvedAlert, now: number): void {
    this.#resolved = [alert, ...this.#resolved].slice(0, mostResolved);
    const unheard = this.#settings.notices.withdraw(alert.id);
    if (entry?.told !== undefined && !unheard) this.#queue({ kind: 'resolved', alert }, now);
  }

  /** Tells what is not told yet, unless nobody wants to hear it now. */
  #tell(entry: Entry, now: number): Entry {
    const { alert, told } = entry;
    if (!isActive(alert) || this.quietedBy(alert, now) !== undefined) return entry;
    const kind = kindOf(alert, told, now, this.#settings.repeatMs);
    if (kind === undefined) return entry;
    this.#queue({ kind, alert }, now);
    return { alert, told: { severity: alert.severity, at: now } };
  }

  #queue(item: NoticeItem, now: number): void {
    this.#settings.notices.queue(item, now);
  }
}

function kindOf(
  alert: ActiveAlert,
  told: Entry['told'],
  now: number,
  repeatMs: number,
): 'firing' | 'escalated' | 'repeat' | undefined {
  if (told === undefined) return alert.state === 'firing' ? 'firing' : undefined;
  if (!isAtLeast(told.severity, alert.severity)) return 'escalated';
  return alert.state === 'firing' && now - told.at >= repeatMs ? 'repeat' : undefined;
}
