/** What `npm run bench:peers` found out, and how its parts are called. */
import type { Measured } from './measure.ts'
import type { Cell, ServerName } from './peers-options.ts'

export interface Results {
  cell: Cell
  /** Of each server one for each round, in order. */
  rounds: Map<ServerName, Measured[]>
  /** Octets, at their most. */
  memory: Map<ServerName, number>
}

export const names: Record<ServerName, string> = {
  mailflow: 'mailflow',
  'mailflow-before': 'mailflow of the other checkout',
  postfix: 'Postfix',
  'postfix-hold': 'Postfix, which only queues',
  haraka: 'Haraka, 1 process',
  'haraka-2': 'Haraka, cluster of 2',
  bare: 'bare smtp-server',
}

/** A kind of load whatever the number of sessions. */
export const kindOf = ({ kilobytes, mode, isSecure }: Cell): string =>
  [
    `${kilobytes} KB`,
    mode === 'Persistent' ? 'sessions that stay open' : 'a connection for each message',
    isSecure ? 'TLS' : 'in the clear',
  ].join(', ')

export const titleOf = (cell: Cell): string => `${kindOf(cell)}, ${cell.connections} at once`

/** Where nothing was accepted there is no figure. */
export const fixed = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–'
export const whole = (value: number): string => fixed(value, 0)
