/** A parameter that is a domain. */
import * as z from 'zod'
import { normaliseDomain } from '../mail/domain.ts'

/** Parses a domain to the form in which domains are compared. */
export const domainParameter = z
  .string()
  .max(255)
  .transform((text, context): string => {
    const normalised = normaliseDomain(text)
    if (normalised !== null) return normalised
    context.addIssue({ code: 'custom', message: 'is not a domain' })
    return z.NEVER
  })
