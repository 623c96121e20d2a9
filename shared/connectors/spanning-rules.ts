/**
 * Rules that span fields of an object. A rule is checked even when other fields have faults, so that one response
 * names every fault. A rule is skipped only when a field that it reads is invalid or missing.
 */
import type * as z from 'zod'

export interface SpanningRule<T> {
  /** The field that the issue names. */
  at: keyof T & string
  /** Every field that `isBroken` reads. */
  reads: readonly (keyof T & string)[]
  isBroken(value: T): boolean
  message: string | ((value: T) => string)
}

export function withSpanningRules<T extends z.ZodObject>(
  schema: T,
  rules: readonly SpanningRule<z.output<T>>[],
): T {
  return schema.superRefine(
    (value, context) => {
      const unreadable = new Set(context.issues.map(({ path }) => path?.[0]))
      for (const { at, reads, isBroken, message } of rules) {
        if (reads.some((field) => unreadable.has(field) || value[field] === undefined)) continue
        if (!isBroken(value)) continue
        const text = typeof message === 'string' ? message : message(value)
        context.addIssue({ code: 'custom', path: [at], message: text })
      }
    },
    { when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value) },
  )
}
