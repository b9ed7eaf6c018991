import { prettyFactory } from 'pino-pretty';

// What every line of a service says again, and the prefix says already.
const repeated = 'pid,hostname,service,instance';

/**
 * Makes a log line of a service readable: pino's JSON through pino-pretty, other lines as they are. What a
 * terminal would obey (moving the cursor, setting the title) is taken out: a log repeats what callers sent.
 */
export function createLogFormat(colors: boolean): (line: string) => string[] {
  const pretty = prettyFactory({
    colorize: colors,
    ignore: repeated,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return (line) => {
    // pino-pretty would also take a bare number or string for a log record.
    const text = line.startsWith('{') ? pretty(line) : line;
    return text
      .trimEnd()
      .split('\n')
      .map((part) => harmless(part, colors));
  };
}

const colorSequence = /\u001b\[[\d;]*m/;
const sequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.)?/g;
const control = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;

function harmless(text: string, colors: boolean): string {
  return text
    .replace(sequence, (found) => (colors && colorSequence.test(found) ? found : ''))
    .replace(control, '');
}
