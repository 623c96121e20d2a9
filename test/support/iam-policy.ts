/**
 * Evaluates an IAM policy that only allows. `*` matches any text and `?` one character, also a slash
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html).
 */
import * as z from 'zod'

const Policy = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.strictObject({ Effect: z.literal('Allow'), Action: z.string(), Resource: z.array(z.string()) }),
  ),
})

export function isAllowed(policy: unknown, action: string, resource: string): boolean {
  return Policy.parse(policy).Statement.some(
    ({ Action, Resource }) =>
      Action === action && Resource.some((pattern) => expressionOf(pattern).test(resource)),
  )
}

function expressionOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[\\^$.+()[\]{}|]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's')
}
