import type { MeshEvent, ProcessSnapshot } from '@mesh/orchestrator';

/** What is shown when everything is ready. */
export interface ReadyReport {
  readonly readyMs: number;
  readonly processes: readonly ProcessSnapshot[];
  /** Where to look first. */
  readonly urls: readonly string[];
  readonly hints: readonly string[];
}

/** How the command talks: in words (text-view.ts) or in JSON (json-view.ts). */
export interface View {
  event(event: MeshEvent): void;
  ready(report: ReadyReport): void;
  processes(processes: readonly ProcessSnapshot[]): void;
  note(text: string): void;
  error(error: unknown): void;
}
