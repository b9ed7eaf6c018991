import { lineOf } from './notice.ts';
import type { Sink } from './sink.ts';

/** The part of a logger (pino, console) that is used here. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One line for each alert of a notice: `warn`, or `info` when it is over. */
export function logSink(logger: Logger, options: Partial<Pick<Sink, 'name' | 'minimumSeverity'>> = {}): Sink {
  return {
    name: 'log',
    ...options,
    deliver(notice) {
      for (const item of notice.items) {
        const { alert } = item;
        logger[item.kind === 'resolved' ? 'info' : 'warn'](
          { notice: notice.id, alert: alert.id, target: alert.target, severity: alert.severity },
          lineOf(item),
        );
      }
    },
  };
}
