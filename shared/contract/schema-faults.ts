/** Converts a schema's issues to faults, each with a path and a message. */
import type * as z from 'zod'
import { faultMessage } from './fault-message.ts'

/** `path` is dotted, with indexes in brackets: `smartHosts[0].port`. It is empty for the whole input. */
export interface Fault {
  path: string
  message: string
}

/** Returns text such as `smartHosts[0].port: must be at most 65535`. */
export const faultText = ({ path, message }: Fault): string => (path === '' ? message : `${path}: ${message}`)

/** Returns every fault of an input. Each unknown field is a fault with its own path. */
export function faultsOf(error: z.core.$ZodError): Fault[] {
  return error.issues.flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        path: formatPath([...issue.path, key]),
        message: 'is not a known field',
      }))
    return [{ path: formatPath(issue.path), message: faultMessage(issue) }]
  })
}

/** Formats a path as `Fault.path` describes it. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}
