import { isConfigError } from './config.ts';

/** The part of an error from the operating system that is read here. */
interface SystemError extends Error {
  readonly code: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
}

/**
 * What went wrong at the start, for a person. A fault of the surroundings (it has a code) is one line; anything else is a
 * fault of the program and keeps its stack.
 */
export function describeStartupFault(service: string, error: unknown): string {
  if (isConfigError(error)) return `${service}: ${error.message}`;
  if (!(error instanceof Error)) return `${service}: ${String(error)}`;
  if (!('code' in error) || typeof error.code !== 'string')
    return `${service}: ${error.stack ?? error.message}`;
  return `${service}: ${describeSystemError(error as SystemError)}`.replace(/\s*\n\s*/g, ' ');
}

function describeSystemError(error: SystemError): string {
  const { code, message, syscall, address = '', port } = error;
  if (syscall === 'listen' || syscall === 'bind') {
    const where = port === undefined ? address : `port ${port} on ${address}`;
    if (code === 'EADDRINUSE')
      return `${where} is already in use; stop what listens there or choose another PORT`;
    if (code === 'EACCES') return `${where} needs more rights; choose a PORT above 1023`;
    if (code === 'EADDRNOTAVAIL') return `${address} is no address of this machine; check HOST`;
  }
  if (syscall === 'getaddrinfo') return `${message}; check HOST`;
  return message === '' ? code : message;
}
