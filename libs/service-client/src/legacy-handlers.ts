import { Dispatcher, Dispatcher1Wrapper } from 'undici';

class Upper extends Dispatcher {
  override readonly dispatch: Dispatcher['dispatch'];

  constructor(dispatch: Dispatcher['dispatch']) {
    super();
    this.dispatch = dispatch;
  }
}

/**
 * Lets the `fetch` that is built into Node 22 and 24 use a dispatcher of undici 8: its handlers have the callbacks of
 * undici 6 and 7 (onConnect, onHeaders, ...), which undici 8 no longer calls.
 */
export const legacyHandlers: Dispatcher.DispatcherComposeInterceptor = (dispatch) => {
  const legacy = new Dispatcher1Wrapper(new Upper(dispatch));
  return (options, handler) =>
    typeof handler.onRequestStart === 'function'
      ? dispatch(options, handler)
      : legacy.dispatch(options, handler);
};
