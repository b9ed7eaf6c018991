/** The same clock in all processes of a machine, in ms. */
export const hostMs = (): number => Number(process.hrtime.bigint()) / 1e6;
