/** `ERR_ALERT_NOT_FOUND`: no such alert is active. `ERR_ALERT_PENDING`: it has not fired yet. `ERR_NOT_STARTED`: the alerts of the store are not known yet. */
export type AlertErrorCode = 'ERR_ALERT_NOT_FOUND' | 'ERR_ALERT_PENDING' | 'ERR_NOT_STARTED';

/** Something was asked of an alert that cannot be done. */
export class AlertError extends Error {
  override readonly name = 'AlertError';
  readonly code: AlertErrorCode;

  constructor(code: AlertErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Whether `error` is an {@link AlertError}, of this or of another installed copy. */
export function isAlertError(error: unknown): error is AlertError {
  return error instanceof Error && error.name === 'AlertError' && 'code' in error;
}
