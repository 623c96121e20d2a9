/** The faults that a schema finds in an input: for each its path, and a message in words. */
import type { z } from 'zod'
import { faultInWords } from './fault-words.ts'

/** `path` is dotted, with indexes in brackets: `smartHosts[0].port`; empty for the whole. */
export interface Fault {
  path: string
  message: string
}

/** `smartHosts[0].port: must be at most 65535` */
export const faultText = ({ path, message }: Fault): string => (path === '' ? message : `${path}: ${message}`)

/** Every fault of a schema, in words: each unknown field by its own name. */
export function faultsOf(error: z.core.$ZodError): Fault[] {
  return error.issues.flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: 'is not known here' }))
    return [{ path: dotted(issue.path), message: faultInWords(issue) }]
  })
}

/** A path as a fault has it. */
export function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}
