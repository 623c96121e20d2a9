/** The results of `npm run bench:peers`, and the names of servers and loads. */
import type { Measurement } from './measure.ts'
import type { Cell, ServerName } from './peers-options.ts'

export interface Results {
  cell: Cell
  /** For each server, the results of its rounds in order. */
  rounds: Map<ServerName, Measurement[]>
  /** The largest memory of each server, in octets. */
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

/** The kind of load, without the number of sessions. */
export const kindOf = ({ kilobytes, mode, isSecure }: Cell): string =>
  [
    `${kilobytes} KB`,
    mode === 'Persistent' ? 'sessions that stay open' : 'a connection for each message',
    isSecure ? 'TLS' : 'in the clear',
  ].join(', ')

export const titleOf = (cell: Cell): string => `${kindOf(cell)}, ${cell.connections} sessions`

/** Formats a figure; a dash when no message was accepted. */
export const fixed = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–'
export const whole = (value: number): string => fixed(value, 0)
